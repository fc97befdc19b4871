// A library to be preloaded (Linux): the Nth write, sync, rename, map, large allocation or read from the network of a
// program fails as asked.
//
//   ECH0_FAULT=write:17:ENOSPC    kinds: write sync rename map allocate receive; what: an errno's name, short, kill
//   ECH0_FAULT_COUNTS=FILE        at the end: how many of each kind there were, "write 123" a line
//
// Standard streams are left alone, and so are allocations below 1 MB and maps of no file. An allocation fails by giving
// nothing, whatever errno is named; short writes half, receives one byte.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr size_t large_bytes = 1'000'000;

struct Kind {
    const char* name;
    std::atomic<long> count{0};
};
Kind kinds[] = {{"write"}, {"sync"}, {"rename"}, {"map"}, {"allocate"}, {"receive"}};
enum { writes, syncs, renames, maps, allocations, receives };

enum class Fault { none, error, partial };

struct Errno {
    const char* name;
    int code;
};
constexpr Errno errnos[] = {
    {"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EINTR", EINTR}, {"ENOMEM", ENOMEM}, {"ECONNRESET", ECONNRESET}};

/// Is this the call that is to fail? Sets errno for it.
Fault fault(int kind) {
    const long n = kinds[kind].count++;
    const char* const wanted = std::getenv("ECH0_FAULT");
    char name[16] = "", what[16] = "";
    long at = -1;
    if (wanted == nullptr || std::sscanf(wanted, "%15[^:]:%ld:%15s", name, &at, what) != 3) return Fault::none;
    if (at != n || std::strcmp(name, kinds[kind].name) != 0) return Fault::none;
    if (std::strcmp(what, "kill") == 0) raise(SIGKILL);
    if (std::strcmp(what, "short") == 0) return Fault::partial;
    for (const Errno& e : errnos)
        if (std::strcmp(what, e.name) == 0) errno = e.code;
    return Fault::error;
}

template <typename Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool is_socket(int fd) {
    struct stat found {};
    return fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode);
}

[[gnu::destructor]] void write_counts() {
    const char* const file = std::getenv("ECH0_FAULT_COUNTS");
    FILE* const out = file == nullptr ? nullptr : std::fopen(file, "w");
    if (out == nullptr) return;
    long counts[std::size(kinds)];  // before our own writing adds to them
    for (size_t i = 0; i < std::size(kinds); i++) counts[i] = kinds[i].count;
    for (size_t i = 0; i < std::size(kinds); i++) std::fprintf(out, "%s %ld\n", kinds[i].name, counts[i]);
    std::fclose(out);
}

}  // namespace

extern "C" {

void* __libc_malloc(size_t size);
void* __libc_memalign(size_t alignment, size_t size);

ssize_t write(int fd, const void* data, size_t size) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
    if (fd <= STDERR_FILENO || is_socket(fd)) return real(fd, data, size);
    const Fault now = fault(writes);
    return now == Fault::error ? -1 : real(fd, data, now == Fault::partial ? std::max<size_t>(1, size / 2) : size);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
    const Fault now = fault(writes);
    return now == Fault::error ? -1
                               : real(fd, data, now == Fault::partial ? std::max<size_t>(1, size / 2) : size, offset);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

int fsync(int fd) {
    static const auto real = next<int (*)(int)>("fsync");
    return fault(syncs) != Fault::none ? -1 : real(fd);
}

int rename(const char* from, const char* to) {
    static const auto real = next<int (*)(const char*, const char*)>("rename");
    return fault(renames) != Fault::none ? -1 : real(from, to);
}

void* mmap64(void* address, size_t size, int protection, int flags, int fd, off64_t offset) {
    static const auto real = next<void* (*)(void*, size_t, int, int, int, off64_t)>("mmap64");
    if (fd >= 0 && fault(maps) != Fault::none) return MAP_FAILED;
    return real(address, size, protection, flags, fd, offset);
}
void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap64(address, size, protection, flags, fd, offset);
}

void* malloc(size_t size) {
    if (size >= large_bytes && fault(allocations) != Fault::none) return nullptr;
    return __libc_malloc(size);
}

int posix_memalign(void** result, size_t alignment, size_t size) {
    if (size >= large_bytes && fault(allocations) != Fault::none) return ENOMEM;
    *result = __libc_memalign(alignment, size);
    return *result == nullptr ? ENOMEM : 0;
}

ssize_t recv(int fd, void* data, size_t size, int flags) {
    static const auto real = next<ssize_t (*)(int, void*, size_t, int)>("recv");
    const Fault now = fault(receives);
    return now == Fault::error ? -1 : real(fd, data, now == Fault::partial ? 1 : size, flags);
}

ssize_t read(int fd, void* data, size_t size) {
    static const auto real = next<ssize_t (*)(int, void*, size_t)>("read");
    if (!is_socket(fd)) return real(fd, data, size);
    const Fault now = fault(receives);
    return now == Fault::error ? -1 : real(fd, data, now == Fault::partial ? 1 : size);
}
}
