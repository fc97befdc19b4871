#pragma once

// The types that store small groups of weights as entries of a codebook: value = d x scale x (entry with signs), or
// for one bit d x scale x (entry + shift). d is in half precision per block of 256, scale an odd number per sub-block.
// Seven of ggml's types are that and differ only in the numbers below and in where the bits lie. The codebooks are the
// engine's: they are read by decoding blocks whose indices are known. Layouts: ggml-common.h and the dequantize
// functions of ggml-quants.c.

#include <ggml.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ech0 {

enum class EntrySigns {
    in_entry,  ///< entries have signs; what is stored beside them is a shift
    even,      ///< one per weight, an even number of minus signs in eight weights: the eighth is not stored
    any        ///< one per weight
};

struct CodebookFormat {
    static constexpr int block = 256;  ///< weights that share d
    static constexpr int octet = 8;    ///< weights that share a byte of signs, a bit of shift

    ggml_type type = GGML_TYPE_COUNT;
    int width = 0;     ///< weights per entry: 4 or 8
    int sub = 0;       ///< weights that share a scale
    int n_scales = 0;  ///< scales are unit x (1, 3, 5, …)
    float unit = 0;    ///< a power of two
    EntrySigns signs{};
    int shift_span = 0;          ///< weights that share a shift; 0: none
    float shift = 0;             ///< added to entries; subtracted where the bit is set
    std::vector<float> entries;  ///< [n_entries, width] integers, odd where signs are stored

    int n_subs() const { return block / sub; }
    int n_entries() const { return static_cast<int>(entries.size()) / width; }
};

/// nullptr for types without a codebook.
const CodebookFormat* codebook_format(ggml_type type);

/// What a block stores, before its bits are packed.
struct CodebookBlock {
    ggml_fp16_t d = 0;
    std::array<uint8_t, 16> scale{};    ///< k for unit x (2 k + 1), per sub-block
    std::array<uint16_t, 64> entry{};   ///< per width weights
    std::array<uint8_t, 32> signs{};    ///< per octet, bit j: weight j is negative
    std::array<uint8_t, 32> shifted{};  ///< per octet, 1: the shift is subtracted
};

/// @param out  ggml_type_size(format.type) bytes
void pack(const CodebookFormat& format, const CodebookBlock& block, std::byte* out);

/// d and scales of a packed block; entries, signs and shifts are not read.
CodebookBlock unpack_scales(const CodebookFormat& format, const std::byte* packed);

}  // namespace ech0
