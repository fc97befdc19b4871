#pragma once

#include <string>
#include <vector>

#include "ech0/machine.h"

namespace ech0 {

// What the engine that we are linked with can run on, by its own word.

/// "CPU", "CUDA", "Metal", "RPC", …, in the engine's order of preference.
std::vector<std::string> engine_backends();

/// Every device of every backend.
std::vector<Device> engine_devices();

/// The instruction sets that the processor's kernels were built for and found: "AVX2", "NEON".
std::vector<std::string> engine_isa();

}  // namespace ech0
