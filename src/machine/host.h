#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "machine/cgroup.h"

namespace ech0 {

/// What the operating system says of this machine and of this process's share of it; the engine is not asked.
/// 0 or empty where it says nothing.
struct Host {
    std::string processor;                     ///< "AMD EPYC 7B13"
    std::vector<std::string> processor_flags;  ///< in the kernel's words: "avx2"
    int64_t cores_total = 0;                   ///< physical
    int64_t cores = 0;                         ///< of those, what this process may use
    std::string cores_limit;                   ///< what keeps it from the others, in words
    double load_average = 0;                   ///< programs that wanted to run in the last minute
    int64_t last_cache_bytes = 0;              ///< of the largest cache; each group of cores may have one

    int64_t memory_total_bytes = 0, memory_available_bytes = 0;
    int64_t swap_total_bytes = 0, swap_used_bytes = 0;
    std::optional<MemoryLimit> memory_limit;           ///< of a control group
    std::optional<int64_t> address_space_limit_bytes;  ///< ulimit -v

    std::optional<int64_t> metal_wired_limit_mib;  ///< iogpu.wired_limit_mb; absent where there is no such thing
    std::vector<std::string> gpu_makers;           ///< of the cards in it: "NVIDIA", "AMD", "Intel"
};

Host probe_host();

/// The processor's name, or the architecture's where it has none.
std::string processor_name();

/// The maker of a card from the PCI identifiers in /sys/bus/pci/devices/ADDRESS/{vendor,class}, if it is a GPU of its
/// own that the engine could run on: "NVIDIA", "AMD", "Intel"; else "".
/// @param address  "0000:01:00.0"; Intel's graphics on bus 0 are part of the processor and win nothing
std::string gpu_maker(std::string_view address, std::string_view vendor, std::string_view device_class);

}  // namespace ech0
