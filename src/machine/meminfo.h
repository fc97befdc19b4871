#pragma once

#include <cstdint>
#include <string_view>

namespace ech0 {

/// What Linux says of the memory of the whole machine. 0 where it says nothing.
struct MemoryInfo {
    int64_t total_bytes = 0;
    int64_t available_bytes = 0;  ///< that programs can get without swapping; never more than the total
    int64_t swap_total_bytes = 0, swap_free_bytes = 0;
};

/// @param text  of /proc/meminfo; a line that is not "Name:  123 kB" is passed over
/// Source: man 5 proc_meminfo. A kernel before 3.14 has no MemAvailable; then it is free + buffers + cache.
MemoryInfo parse_meminfo(std::string_view text);

}  // namespace ech0
