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

/// How much of something is to go.
struct Amount {
    enum class Of { nothing, units, weights, share };
    Of of = Of::nothing;
    double value = 0;
};

/// `3` (units), `300M` or `2B` (weights: K, M, B), `20%` or `0.2` (a share).
/// @throws UsageError if the text is none of these, or not above 0, or a share of all or more
Amount parse_amount(std::string_view text);

/// Memory, in GiB (2^30) or MiB below one GiB: "17.76 GiB".
std::string format_memory(int64_t bytes);

/// Disk and bandwidth, in GB (10^9), MB or kB: "384.3 MB".
std::string format_disk(int64_t bytes);

/// "0.8 s", "42 s", "3 min 20 s", "2 h 5 min".
std::string format_duration(double seconds);

}  // namespace ech0
