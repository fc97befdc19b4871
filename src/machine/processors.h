#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// "model name" on x86, "Model" on a Raspberry Pi; "" where /proc/cpuinfo names nothing a person would know.
std::string processor_name_in(std::string_view cpuinfo);

/// What the first processor can, in the kernel's words: "avx2", "asimd".
std::vector<std::string> processor_flags_in(std::string_view cpuinfo);

/// "32768K" or "32M" of /sys/devices/system/cpu/cpu0/cache/…/size, in bytes; 0 if it is neither.
int64_t parse_cache_size(std::string_view text);

/// Physical cores among processors: those that name the same siblings ("0,64") are threads of one core.
/// @param siblings  for each processor its thread_siblings_list; one that is empty is a core of its own
int64_t count_cores(const std::vector<std::string>& siblings);

/// Cores that a group's share of processor time can keep busy: the engine's threads wait for each other after every
/// operation, so a thread that has only half a processor halves the speed of all.
int64_t cores_within(int64_t cores, double processors);

}  // namespace ech0
