#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ech0 {

/// Rows of bytes made of units that are all alike (the blocks of a quantized type, f32 numbers), exactly. A byte's bits
/// are coded from the highest down by what its place in the unit, its column, the row before and the byte before let
/// one expect; low bits that are as good as noise are stored.
/// @param row_bytes, unit_bytes  at least 1; the rows are whole, a unit may be cut by the row's end
std::string encode_bytes(std::span<const uint8_t> rows, int64_t row_bytes, int64_t unit_bytes);

/// @param rows  where they go, of the size that was encoded
/// @throws FormatError if the packed bytes can't be those of so many rows
void decode_bytes(std::string_view packed, std::span<uint8_t> rows, int64_t row_bytes, int64_t unit_bytes);

}  // namespace ech0
