#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

// Linux confines containers, services and sessions by control groups: a limit of our own group, or of any group that it
// lies in, holds for us, whatever /proc/meminfo says of the machine.
// Source: docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html

/// A folder of files about one group.
struct CgroupFolder {
    int version = 2;
    std::filesystem::path path;
};

/// The folders of our group and of those it lies in, innermost first.
/// @param mountinfo   of /proc/self/mountinfo: where the groups are mounted, and from which group on
/// @param membership  of /proc/self/cgroup: "0::/our/group", "4:memory:/our/group"
/// @param controller  "memory" or "cpu", which version 1 keeps apart
std::vector<CgroupFolder> cgroup_folders(std::string_view mountinfo, std::string_view membership,
                                         std::string_view controller);

/// "1073741824" of memory.max, memory.high or memory.limit_in_bytes; nothing for "max" and for version 1's way to say
/// it (a number of whole pages near 2^63).
std::optional<int64_t> parse_memory_limit(std::string_view text);

/// File cache in a memory.stat: it counts as used, and goes as soon as somebody needs the memory.
int64_t file_cache_bytes(std::string_view memory_stat);

/// Processors' worth of time from cpu.max, "150000 100000": 1.5; nothing for "max 100000".
std::optional<double> parse_cpu_max(std::string_view text);

/// A group with a limit, at this moment.
struct MemoryLimit {
    std::filesystem::path folder;
    int64_t limit_bytes = 0;
    int64_t used_bytes = 0;  ///< without file cache
    int64_t free_bytes() const { return used_bytes < limit_bytes ? limit_bytes - used_bytes : 0; }
};

/// The group with the least memory left, of those that have a limit.
std::optional<MemoryLimit> tightest_memory_limit(const std::vector<CgroupFolder>& folders);

/// The least processor time that any group grants.
std::optional<double> tightest_cpu_limit(const std::vector<CgroupFolder>& folders);

}  // namespace ech0
