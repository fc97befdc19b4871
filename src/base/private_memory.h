#pragma once

#include <cstdint>

namespace ech0 {

/// What this process has in RAM now of its own: not the pages of mapped files, nor what it has freed.
int64_t private_memory_bytes();

}  // namespace ech0
