#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "base/private_memory.h"
#include "base/process.h"
#include "ech0/error.h"

namespace ech0 {

namespace {

/// A figure of /proc/self/status, there in KiB; 0 if it has none of that name.
int64_t status_bytes(const std::string& name) {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
        int64_t kib = 0;
        if (word == name && status >> kib) return kib * 1024;
    }
    return 0;
}

}  // namespace

// getrusage's ru_maxrss would start at the size of the process that forked us (the kernel keeps the larger of the two
// across exec); VmHWM belongs to the address space that exec made.
int64_t peak_memory_bytes() { return status_bytes("VmHWM:"); }

double waited_for_processor_s() {
    double nanoseconds = 0;
    std::error_code no_proc;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", no_proc)) {
        std::ifstream statistics(thread.path() / "schedstat");  // time run, time waited, slices; none if it just ended
        double ran = 0, waited = 0;
        if (statistics >> ran >> waited) nanoseconds += waited;
    }
    return nanoseconds / 1e9;
}

void settle_private_memory() {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
}

int64_t private_memory_bytes() {
#ifdef __GLIBC__
    malloc_trim(0);  // what was freed is no longer ours; otherwise the next to allocate would seem to take nothing
#endif
    return status_bytes("RssAnon:");
}

std::filesystem::path this_executable() {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) throw FileError("/proc/self/exe: " + error.message());
    return path;
}

}  // namespace ech0
