#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ech0 {

/// Packed by zlib at its best level (RFC 1950).
std::string deflate(std::string_view text);

/// @param size_bytes  what it must give, to the byte
/// @throws FormatError if it does not, or the bytes are no such packing; no more memory is taken than they can fill
std::string inflate(std::string_view packed, int64_t size_bytes);

}  // namespace ech0
