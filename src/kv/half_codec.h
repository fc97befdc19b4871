#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ech0 {

/// More columns would need gigabytes of statistics (20 KiB each). The widest models have 8192.
constexpr int64_t most_half_columns = 16384;

/// Rows of half-precision numbers, [n_rows, n_columns], exactly. A number's bits are coded from the sign down, each
/// with a probability mixed of what its column did before, what its neighbour in the row before was, and a bell curve
/// around what the row's earlier columns let one expect (ChannelPredictor). The last bits are noise and are stored.
/// Columns that never change cost two bytes.
std::string encode_halves(std::span<const uint16_t> rows, int64_t n_columns);

/// @param rows  where they go, of the size that was encoded
/// @throws FormatError if the packed bytes can't be those of so many rows
void decode_halves(std::string_view packed, std::span<uint16_t> rows, int64_t n_columns);

}  // namespace ech0
