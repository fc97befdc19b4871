#include "model/remote_model.h"

#include <algorithm>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/paths.h"
#include "base/text.h"
#include "ech0/error.h"
#include "model/gguf_file.h"
#include "store/stored_model.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

// Heads have 0.1 to 16 MB, most of it the vocabulary; one that is not whole after this is no head.
constexpr int64_t first_read_bytes = 1 << 20, most_read_bytes = 256 << 20;

fs::path heads_folder() { return cache_folder() / "remote"; }

// Does the file, of which so many bytes are real, have its whole head? Zeros can't pass for one: no name is empty, and
// a tensor begins where the one before it ends.
bool has_whole_head(const fs::path& file, int64_t real_bytes) {
    try {
        return read_gguf(file).data_offset_bytes <= real_bytes;
    } catch (const FormatError&) {
        const bool may_grow = real_bytes < most_read_bytes && real_bytes < MappedFile(file).size_bytes();
        if (!may_grow ||
            !std::string_view(reinterpret_cast<const char*>(MappedFile(file).data()), 4).starts_with("GGUF"))
            throw;
        return false;
    }
}

// More of a file's beginning.
void grow(const Hub& hub, const HubModel& model, const HubFile& file, int64_t wanted_bytes, std::string& head) {
    const auto size = [&] { return static_cast<int64_t>(head.size()); };
    const auto no_ranges = [&] {
        return FormatError(
            fmt::format("{}: the server sends no ranges, only the whole file; 'ech0 models pull {}' fetches it",
                        printable(file.path, 400), printable(model.name, 400)));
    };
    const ByteSink sink{[&](int64_t offset) {
                            if (offset != size()) throw no_ranges();
                        },
                        [&](const char* data, size_t n) {
                            if (static_cast<int64_t>(n) > wanted_bytes - size()) throw no_ranges();
                            head.append(data, n);
                        }};
    with_patience(hub, size, [&] {
        read_from_hub(hub, model, file, size(), wanted_bytes, sink);
        if (size() < wanted_bytes)
            throw NetworkError(fmt::format("{}: the server ends after {} of {} bytes", printable(file.path, 400),
                                           size(), wanted_bytes));
    });
}

// Fetch one file's head to `target`; a sparse file of the true size.
// @return the bytes that came over the network
int64_t fetch_head(const Hub& hub, const HubModel& model, const HubFile& file, const fs::path& target,
                   const Progress& progress) {
    std::string head;
    fs::create_directories(target.parent_path());
    for (int64_t wanted = first_read_bytes;; wanted *= 2) {
        grow(hub, model, file, std::min(wanted, file.size_bytes), head);
        if (progress) progress("read the head", static_cast<int64_t>(head.size()), 0);
        AtomicFile written(target);
        written.write(head);
        fs::resize_file(written.part(), static_cast<uintmax_t>(file.size_bytes));
        try {
            if (!has_whole_head(written.part(), static_cast<int64_t>(head.size()))) continue;
        } catch (Error& error) {
            throw FormatError(fmt::format("{} on the hub is no model that can be read: {}", printable(model.name, 400),
                                          error.what()));
        }
        written.commit();
        return static_cast<int64_t>(head.size());
    }
}

}  // namespace

RemoteModel read_remote_model(const Hub& hub, std::string_view asked, const Progress& progress) {
    const HubModel found = find_on_hub(hub, asked);
    RemoteModel remote;
    std::vector<fs::path> files;
    for (const HubFile& file : found.files) {
        // Below the hash, so that a new file of the same name is read anew.
        const fs::path target = heads_folder() / file.sha256 / fs::path(file.path).filename();
        std::error_code absent;
        const uintmax_t size = fs::file_size(target, absent);
        if (absent || size != static_cast<uintmax_t>(file.size_bytes))
            remote.read_bytes += fetch_head(hub, found, file, target, progress);
        files.push_back(target);
    }
    remote.model = read_model(found.name, files);
    return remote;
}

bool is_remote_head(const fs::path& file) {
    try {
        return lies_in(file, heads_folder());
    } catch (const UsageError&) {
        return false;  // no place for a cache, so no heads in it
    }
}

}  // namespace ech0
