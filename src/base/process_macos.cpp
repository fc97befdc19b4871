#include <mach-o/dyld.h>
#include <mach/mach.h>
#include <sys/resource.h>

#include <array>
#include <climits>

#include "base/private_memory.h"
#include "base/process.h"
#include "ech0/error.h"

namespace ech0 {

int64_t peak_memory_bytes() {
    struct rusage usage {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // bytes here, KiB elsewhere
}

double waited_for_processor_s() { return 0; }

int64_t private_memory_bytes() {
    task_vm_info_data_t info{};
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    if (task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count) != KERN_SUCCESS)
        return 0;
    return static_cast<int64_t>(info.phys_footprint);
}

void settle_private_memory() {}  // large blocks are always fresh pages here

std::filesystem::path this_executable() {
    std::array<char, PATH_MAX> path{};
    uint32_t size = path.size();
    if (_NSGetExecutablePath(path.data(), &size) != 0)
        throw FileError("this program's path is longer than the system allows");
    return std::filesystem::canonical(path.data());
}

}  // namespace ech0
