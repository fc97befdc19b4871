#pragma once

#include <cstdint>

namespace ech0 {

/// What this process has in RAM now of its own: not the pages of mapped files, nor what it has freed.
int64_t private_memory_bytes();

/// Called before all else in a process that measures itself: large blocks are then always fresh pages, which count when
/// they are touched. By itself glibc comes to take them from what was freed, and what calloc clears there counts too.
void settle_private_memory();

}  // namespace ech0
