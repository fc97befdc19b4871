#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

std::string shown(const fs::path& path) { return printable(path.string(), 400); }

std::string remedy(int code) {
    switch (code) {
        case EACCES:
        case EPERM: return "check its permissions, or run as its owner";
        case ENOENT: return "check the path";
        case EROFS: return "choose a folder on a disk that can be written";
        case EMFILE:
        case ENFILE: return "raise the limit of open files (ulimit -n)";
        case EISDIR: return "name a file, not a folder";
        default: return "";
    }
}

FileError system_error(std::string_view doing, const fs::path& path, int code) {
    const std::string hint = remedy(code);
    return FileError(fmt::format("{} {}: {}{}{}", doing, shown(path), std::generic_category().message(code),
                                 hint.empty() ? "" : "; ", hint));
}

int64_t free_bytes(const fs::path& folder) {
    std::error_code failure;
    const fs::space_info space = fs::space(folder, failure);
    return failure ? -1 : static_cast<int64_t>(space.available);
}

fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

FileError disk_full(const fs::path& target, int64_t needed_bytes, int64_t available_bytes) {
    return FileError(
        fmt::format("write {}: the disk is full: {} needed, {} free; make room or name a file on another disk",
                    shown(target), format_disk(needed_bytes), format_disk(std::max<int64_t>(0, available_bytes))));
}

// An open file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

}  // namespace

MappedFile::MappedFile(fs::path path) : path_(std::move(path)) {
    const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not hang us
    if (file.get() < 0) throw system_error("open", path_, errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw system_error("look at", path_, errno);
    if (S_ISDIR(status.st_mode)) throw system_error("open", path_, EISDIR);
    if (!S_ISREG(status.st_mode))
        throw FileError(fmt::format("open {}: not a regular file; copy it to one first", shown(path_)));
    size_bytes_ = status.st_size;
    if (size_bytes_ == 0) return;  // mmap refuses length 0
    void* const at = ::mmap(nullptr, static_cast<size_t>(size_bytes_), PROT_READ, MAP_SHARED, file.get(), 0);
    if (at == MAP_FAILED) throw system_error("map", path_, errno);
    data_ = static_cast<uint8_t*>(at);
}

MappedFile::~MappedFile() { unmap(); }

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    if (this != &other) {
        unmap();
        path_ = std::move(other.path_);
        data_ = std::exchange(other.data_, nullptr);
        size_bytes_ = std::exchange(other.size_bytes_, 0);
    }
    return *this;
}

void MappedFile::unmap() noexcept {
    if (data_ != nullptr) ::munmap(data_, static_cast<size_t>(size_bytes_));
    data_ = nullptr;
}

namespace {

// Advice is about whole pages: those that lie wholly inside are let go, those that are touched at all are fetched.
struct Pages {
    uint8_t* begin;
    size_t size;
};

Pages pages_inside(uint8_t* data, int64_t offset, int64_t size) {
    const int64_t page = ::sysconf(_SC_PAGESIZE);
    const int64_t begin = (offset + page - 1) / page * page, end = (offset + size) / page * page;
    return {data + begin, end > begin ? static_cast<size_t>(end - begin) : 0};
}

Pages pages_around(uint8_t* data, int64_t offset, int64_t size) {
    const int64_t page = ::sysconf(_SC_PAGESIZE);
    const int64_t begin = offset / page * page;
    return {data + begin, static_cast<size_t>(offset + size - begin)};
}

}  // namespace

void MappedFile::release(int64_t offset_bytes, int64_t size_bytes) const {
    const Pages pages = pages_inside(data_, offset_bytes, std::min(size_bytes, size_bytes_ - offset_bytes));
    if (pages.size > 0) ::madvise(pages.begin, pages.size, MADV_DONTNEED);
}

void MappedFile::prefetch(int64_t offset_bytes, int64_t size_bytes) const {
    const int64_t size = std::min(size_bytes, size_bytes_ - offset_bytes);
    if (size <= 0) return;
    const Pages pages = pages_around(data_, offset_bytes, size);
    ::madvise(pages.begin, pages.size, MADV_WILLNEED);
}

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
    if (target_.filename().empty() || fs::is_directory(target_)) throw system_error("write", target_, EISDIR);
    part_ = folder_of(target_) / ("." + target_.filename().string() + ".ech0-part");
    if (!fs::is_directory(folder_of(target_))) {
        throw FileError(
            fmt::format("write {}: there is no folder {}; create it first", shown(target_), shown(folder_of(target_))));
    }
    open_part();
}

// The lock keeps two programs from writing one target at once. A part that its owner removed between our open and our
// lock has no name any more: then open again.
void AtomicFile::open_part() {
    int64_t left_over_bytes = 0;
    for (;;) {
        fd_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd_ < 0)
            throw errno == ENOSPC ? disk_full(target_, 1, free_bytes(folder_of(target_)))
                                  : system_error("write", target_, errno);
        if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
            const int code = errno;
            ::close(std::exchange(fd_, -1));
            if (code == EWOULDBLOCK) {
                throw FileError(fmt::format(
                    "write {}: another process is writing it now; wait for it, or name another file", shown(target_)));
            }
            throw system_error("lock", part_, code);
        }
        struct stat ours {
        }, named{};
        if (::fstat(fd_, &ours) == 0 && ::stat(part_.c_str(), &named) == 0 && ours.st_ino == named.st_ino) {
            left_over_bytes = ours.st_size;
            break;
        }
        ::close(std::exchange(fd_, -1));
    }
    if (left_over_bytes > 0 && ::ftruncate(fd_, 0) != 0) {
        const int code = errno;
        close_part();
        throw system_error("empty", part_, code);
    }
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      part_(std::move(other.part_)),
      fd_(std::exchange(other.fd_, -1)),
      size_bytes_(other.size_bytes_),
      expected_bytes_(other.expected_bytes_) {}

AtomicFile::~AtomicFile() {
    if (fd_ < 0) return;
    ::unlink(part_.c_str());
    close_part();
}

void AtomicFile::close_part() noexcept { ::close(std::exchange(fd_, -1)); }

void AtomicFile::expect_size(int64_t size_bytes) {
    expected_bytes_ = size_bytes;
    const int64_t available = free_bytes(folder_of(target_));
    if (available >= 0 && available < size_bytes - size_bytes_)
        throw disk_full(target_, size_bytes - size_bytes_, available);
}

void AtomicFile::write_all(int64_t offset_bytes, const void* data, size_t size) {
    const char* from = static_cast<const char*>(data);
    while (size > 0) {
        // 1 GiB at a time: macOS refuses more than INT_MAX
        const ssize_t written = ::pwrite(fd_, from, std::min<size_t>(size, size_t{1} << 30), offset_bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && (errno == ENOSPC || errno == EDQUOT)) {
            const int64_t needed = std::max(expected_bytes_ - offset_bytes, static_cast<int64_t>(size));
            throw disk_full(target_, needed, free_bytes(folder_of(target_)));
        }
        if (written < 0 && errno == EFBIG) {
            throw FileError(fmt::format(
                "write {}: more than this disk or this user's limit (ulimit -f) allows for one file", shown(target_)));
        }
        if (written < 0) throw system_error("write", target_, errno);
        from += written;
        offset_bytes += written;
        size -= static_cast<size_t>(written);
    }
}

void AtomicFile::write(const void* data, size_t size) {
    write_all(size_bytes_, data, size);
    size_bytes_ += static_cast<int64_t>(size);
}

void AtomicFile::pad_to(int64_t alignment) {
    const int64_t missing = (alignment - size_bytes_ % alignment) % alignment;
    const std::vector<char> zeros(static_cast<size_t>(missing), '\0');
    write(zeros.data(), zeros.size());
}

void AtomicFile::write_at(int64_t offset_bytes, const void* data, size_t size) {
    write_all(offset_bytes, data, size);
    size_bytes_ = std::max(size_bytes_, offset_bytes + static_cast<int64_t>(size));
}

void AtomicFile::flush() {
    if (::fsync(fd_) != 0) {
        throw errno == ENOSPC ? disk_full(target_, size_bytes_, free_bytes(folder_of(target_)))
                              : system_error("flush", target_, errno);
    }
#ifdef POSIX_FADV_DONTNEED
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);  // only a hint; macOS has none
#endif
}

void AtomicFile::commit() {
    flush();
    if (::rename(part_.c_str(), target_.c_str()) != 0) throw system_error("rename to", target_, errno);
    close_part();
    // The name is durable only when the folder is; some file systems refuse to sync one, and then there is no more to
    // do.
    const Descriptor folder(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() >= 0) ::fsync(folder.get());
}

void write_file(const fs::path& target, std::string_view content) {
    AtomicFile out(target);
    out.write(content);
    out.commit();
}

std::string read_file(const fs::path& file) {
    const MappedFile mapped(file);
    return {reinterpret_cast<const char*>(mapped.data()), static_cast<size_t>(mapped.size_bytes())};
}

}  // namespace ech0
