#include "store/pull.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/interrupt.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ech0/units.h"
#include "store/huggingface.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

std::string shown(const fs::path& path) { return printable(path.string(), 400); }

fs::path target_of(const HubModel& model, const HubFile& file) {
    return pulled_folder() / model.repository / file.path;
}

// The part carries the hash: when the hub has another file under the name, the old beginning is not continued.
fs::path part_of(const fs::path& target, const HubFile& file) {
    return target.parent_path() / ("." + target.filename().string() + "." + file.sha256.substr(0, 12) + ".ech0-part");
}

int64_t size_of(const fs::path& file) {
    std::error_code failure;
    const uintmax_t size = fs::file_size(file, failure);
    return failure ? 0 : static_cast<int64_t>(size);
}

bool is_here(const fs::path& target, const HubFile& file) { return size_of(target) == file.size_bytes; }

// A file on its way: what has arrived, and its hash so far.
class Part {
public:
    Part(fs::path target, const HubFile& file)
        : target_(std::move(target)), path_(part_of(target_, file)), file_(file) {
        open();
        if (size_ > file_.size_bytes) begin(0);
    }
    ~Part() {
        if (fd_ >= 0) ::close(fd_);
    }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    int64_t size_bytes() const { return size_; }

    // The server begins at the end of what is here, or anew.
    void begin(int64_t offset_bytes) {
        if (offset_bytes == size_) return;
        if (::ftruncate(fd_, 0) != 0) throw failure("empty", errno);
        size_ = 0;
        hash_ = Sha256();
    }

    void append(const char* data, size_t size) {
        if (static_cast<int64_t>(size) > file_.size_bytes - size_)
            throw FormatError(fmt::format("{}: the server sends more than the {} bytes it lists",
                                          printable(file_.path, 400), file_.size_bytes));
        hash_.update(data, size);
        while (size > 0) {
            const ssize_t written = ::pwrite(fd_, data, size, size_);
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) throw failure("write", errno);
            data += written;
            size -= static_cast<size_t>(written);
            size_ += written;
        }
    }

    // Hash the beginning that an earlier pull left.
    void take_up(const Progress& progress) {
        const int64_t left = ::lseek(fd_, 0, SEEK_END);
        std::string buffer(1 << 20, '\0');
        while (size_ < left) {
            check_interrupt();
            const ssize_t got = ::pread(fd_, buffer.data(), buffer.size(), size_);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) throw failure("read", errno);
            if (got == 0) break;
            hash_.update(buffer.data(), static_cast<size_t>(got));
            size_ += got;
            if (progress) progress("check what is here", size_, left);
        }
    }

    void commit() {
        if (const std::string hash = hash_.hex(); hash != file_.sha256) {
            ::unlink(path_.c_str());
            throw FormatError(fmt::format("{}: what came has SHA-256 {}, and the hub lists {}: removed; pull it again",
                                          printable(file_.path, 400), hash, file_.sha256));
        }
        if (::fsync(fd_) != 0) throw failure("flush", errno);
        if (::rename(path_.c_str(), target_.c_str()) != 0) throw failure("rename", errno);
    }

private:
    void open() {
        fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd_ < 0) throw failure("write", errno);
        if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
        const int code = errno;
        ::close(std::exchange(fd_, -1));
        if (code != EWOULDBLOCK) throw failure("lock", code);
        throw FileError(fmt::format("{}: another ech0 is fetching it now; wait for it", shown(target_)));
    }

    FileError failure(const char* doing, int code) const {
        return FileError(fmt::format("{} {}: {}", doing, shown(path_), std::generic_category().message(code)));
    }

    fs::path target_, path_;
    const HubFile& file_;
    int fd_ = -1;
    int64_t size_ = 0;
    Sha256 hash_;
};

void check_room(const Pulled& plan) {
    std::error_code failure;
    const fs::space_info space = fs::space(pulled_folder(), failure);
    const int64_t needed = plan.size_bytes - plan.present_bytes;
    if (failure || static_cast<int64_t>(space.available) >= needed) return;
    throw FileError(fmt::format("{}: {} free, {} needed: make room, or set ECH0_CACHE to a larger disk",
                                shown(pulled_folder()), format_disk(static_cast<int64_t>(space.available)),
                                format_disk(needed)));
}

void fetch(const Hub& hub, const HubModel& model, const HubFile& file, const Progress& progress) {
    const fs::path target = target_of(model, file);
    make_folder(target.parent_path());
    Part part(target, file);
    part.take_up(progress);
    const std::string stage = "fetch " + printable(target.filename().string());
    const ByteSink sink{[&](int64_t offset) { part.begin(offset); },
                        [&](const char* data, size_t size) {
                            part.append(data, size);
                            if (progress) progress(stage, part.size_bytes(), file.size_bytes);
                        }};
    if (progress) progress(stage, part.size_bytes(), file.size_bytes);
    try {
        with_patience(
            hub, [&] { return part.size_bytes(); },
            [&] {
                if (part.size_bytes() < file.size_bytes)
                    read_from_hub(hub, model, file, part.size_bytes(), file.size_bytes, sink);
                if (part.size_bytes() < file.size_bytes)
                    throw NetworkError(fmt::format("{}: the server ends after {} of {} bytes",
                                                   printable(file.path, 400), part.size_bytes(), file.size_bytes));
            });
    } catch (const NetworkError& error) {
        throw NetworkError(fmt::format("{}; what is here is kept ({} of {}), and the same command goes on from there",
                                       error.what(), format_disk(part.size_bytes()), format_disk(file.size_bytes)));
    }
    part.commit();
}

}  // namespace

Pulled plan_pull(const HubModel& model) {
    Pulled plan;
    plan.size_bytes = model.size_bytes();
    for (const HubFile& file : model.files) {
        const fs::path target = target_of(model, file);
        plan.files.push_back(target);
        plan.present_bytes +=
            is_here(target, file) ? file.size_bytes : std::min(size_of(part_of(target, file)), file.size_bytes);
    }
    return plan;
}

Pulled pull(const Hub& hub, const HubModel& model, const Progress& progress) {
    const Pulled plan = plan_pull(model);
    make_folder(pulled_folder());
    check_room(plan);
    for (size_t i = 0; i < model.files.size(); i++) {
        if (!is_here(plan.files[i], model.files[i])) fetch(hub, model, model.files[i], progress);
    }
    return plan;
}

}  // namespace ech0
