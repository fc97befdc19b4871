#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

// The small texts in which /proc and /sys answer.

/// A file of /proc or /sys, which have no size before they are read; "" if it can't be read. At most 1 MiB.
std::string read_system_text(const std::filesystem::path& file);

std::vector<std::string_view> lines_of(std::string_view text);

/// Separated by blanks and tabs.
std::vector<std::string_view> words_of(std::string_view line);

/// A whole number >= 0 with blanks or a newline around it; nothing else counts, nor what int64_t can't hold.
std::optional<int64_t> parse_count(std::string_view text);

}  // namespace ech0
