#pragma once

#include <cstdint>
#include <string>

#include "report/look.h"

namespace ech0 {

/// A bar of `width` characters that is filled to this share, below 0 and above 1 cut: eighths of a character where the
/// terminal has them, else # and dots.
std::string bar(double share, int64_t width, const Look& look);

}  // namespace ech0
