#include <mach-o/dyld.h>
#include <sys/resource.h>

#include <array>
#include <climits>

#include "base/process.h"
#include "ech0/error.h"

namespace ech0 {

int64_t peak_memory_bytes() {
    struct rusage usage {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // bytes here, KiB elsewhere
}

std::filesystem::path this_executable() {
    std::array<char, PATH_MAX> path{};
    uint32_t size = path.size();
    if (_NSGetExecutablePath(path.data(), &size) != 0)
        throw FileError("this program's path is longer than the system allows");
    return std::filesystem::canonical(path.data());
}

}  // namespace ech0
