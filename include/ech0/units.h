#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ech0 {

/// Bytes from a person's words: `60MB` (10^6), `17.8GiB` (2^30), `16g` = `16G` (2^30, as docker and java read it),
/// `1234` or `1234B` (bytes). Rounded down to whole bytes.
/// @throws UsageError if the text is no size, is negative, or does not fit int64_t
int64_t parse_size(std::string_view text);

/// Bits per weight from `3.5bpw` or `3.5`.
/// @throws UsageError if the text is no number or lies outside (0, 32]
double parse_bits_per_weight(std::string_view text);

/// A share of a whole from `0.6` or `60%`.
/// @throws UsageError if the text is no number or lies outside (0, 1)
double parse_share(std::string_view text);

/// Memory, in GiB (2^30) or MiB below one GiB: "17.76 GiB".
std::string format_memory(int64_t bytes);

/// Disk and bandwidth, in GB (10^9), MB or kB: "384.3 MB".
std::string format_disk(int64_t bytes);

/// "0.8 s", "42 s", "3 min 20 s", "2 h 5 min".
std::string format_duration(double seconds);

}  // namespace ech0
