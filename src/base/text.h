#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ech0 {

/// Text that came from outside, fit for one line of a terminal: control characters and bytes that are no UTF-8 become
/// \xNN, and what is longer than `most` bytes is cut and ends in "…".
std::string printable(std::string_view text, size_t most = 120);

/// Length of the UTF-8 character of more than one byte that starts at text[at], or 0 if none does. C1 controls
/// (U+0080…U+009F) count as none: terminals obey them.
size_t utf8_length(std::string_view text, size_t at);

/// A word as a shell reads it back: quoted if it holds anything a shell would act on.
std::string shell_word(std::string_view word);

/// "1,234,567"
std::string format_count(int64_t count);

}  // namespace ech0
