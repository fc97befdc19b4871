#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kv/state.h"

namespace ech0 {

/// Some rows of numbers, at most 32 MiB of them unless one row is longer: what is packed, checked and unpacked as one.
struct RowBlock {
    std::string name;  ///< "K of layer 3, rows 0-1023", for errors
    int32_t type = 0;  ///< ggml_type
    int64_t n_rows = 0, row_bytes = 0;
    bool transposed = false;   ///< the rows are channels and their numbers tokens (V without flash attention)
    int64_t offset_bytes = 0;  ///< in the whole content

    int64_t size_bytes() const { return n_rows * row_bytes; }
};

/// How a block's numbers are packed; a byte in the file.
enum class RowCodec : uint8_t {
    stored = 0,    ///< as they are
    repeated = 1,  ///< one number (block of a quantized type), or one row, over and over
    halves = 2,    ///< half_codec.h
    bytes = 3,     ///< byte_codec.h
};

std::string_view row_codec_name(RowCodec codec);

struct PackedRows {
    RowCodec codec = RowCodec::stored;
    std::string bytes;
};

/// The blocks of K and V, in file order.
std::vector<RowBlock> row_blocks(const KvState& state);

/// The blocks of rows that are nothing but rows.
/// @param n_columns  numbers in a row
/// @throws UsageError if size_bytes is no whole number of such rows
std::vector<RowBlock> row_blocks(int32_t type, int64_t n_columns, int64_t size_bytes);

/// Never longer than the rows.
/// @param data  block.size_bytes() of them
PackedRows pack_rows(const RowBlock& block, std::span<const uint8_t> data);

/// @param out  block.size_bytes(), exactly what pack_rows was given
/// @throws FormatError naming the block if the bytes can't be its
void unpack_rows(const RowBlock& block, RowCodec codec, std::string_view packed, std::span<uint8_t> out);

}  // namespace ech0
