#pragma once

#include <cstdint>

namespace ech0 {

/// What this process has in RAM now of its own: not the pages of mapped files. Beside peak_memory_bytes of process.h.
int64_t private_memory_bytes();

}  // namespace ech0
