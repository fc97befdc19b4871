#pragma once

#include <cstdint>
#include <filesystem>

namespace ech0 {

/// The most memory this process has had in RAM so far: its own and the touched pages of mapped files, not what a
/// discrete GPU holds. Counted from its start (exec), not from its parent's.
int64_t peak_memory_bytes();

/// Seconds that this process's threads, those that are still there, were ready to run while others had the processors.
/// 0 where the system does not say (macOS).
double waited_for_processor_s();

/// The program file of this process.
/// @throws FileError if the system won't say
std::filesystem::path this_executable();

}  // namespace ech0
