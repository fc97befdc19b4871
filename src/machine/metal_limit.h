#pragma once

#include <cstdint>

namespace ech0 {

/// What Metal lets one program keep in memory on a Mac whose GPU shares the RAM, where the engine can't ask Metal
/// itself (recommendedMaxWorkingSetSize).
/// @param wired_limit_mib  `sysctl iogpu.wired_limit_mb`: if set, Metal reports exactly that; 0 = macOS decides
///
/// macOS's own choice is not documented: 2/3 of the RAM, 3/4 from 36 GB on, and more since macOS 26 (docs/machines.md
/// has what was seen). The older rule is promised here, since no system gives less.
int64_t metal_limit_bytes(int64_t memory_total_bytes, int64_t wired_limit_mib);

/// A larger `iogpu.wired_limit_mb` that leaves macOS and the programs beside enough: an eighth of the RAM, at least
/// 4 GiB. 0 if that would not be more than the limit there is.
int64_t wider_metal_limit_mib(int64_t memory_total_bytes, int64_t limit_bytes);

/// Counts of pages as host_statistics64 gives them.
struct MacPages {
    int64_t page_bytes = 0;
    int64_t free = 0;         ///< with the speculative ones
    int64_t speculative = 0;  ///< read ahead from files
    int64_t file_backed = 0;  ///< "external": with the speculative ones
    int64_t purgeable = 0;
};

/// Memory that programs can get without anything being compressed or swapped: free pages and "cached files", as
/// Activity Monitor counts them.
int64_t mac_available_bytes(const MacPages& pages, int64_t memory_total_bytes);

}  // namespace ech0
