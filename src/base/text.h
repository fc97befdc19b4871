#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ech0 {

/// Text that came from outside, fit for one line of a terminal: control characters and bytes that are no UTF-8 become
/// \xNN, and what is longer than `most` bytes is cut and ends in "…".
std::string printable(std::string_view text, size_t most = 120);

/// "1,234,567"
std::string format_count(int64_t count);

}  // namespace ech0
