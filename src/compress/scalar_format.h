#pragma once

// The types whose weights are levels on a line: value = (d x scale) x level - (dmin x min), with d and dmin in half
// precision per block, whole-number scales and mins per sub-block, and one level per weight. Twelve of ggml's types are
// that and differ only in the numbers below and in where the bits lie; so the search for scales and the rounding are
// written once. Layouts: ggml-common.h and the dequantize functions of ggml-quants.c.

#include <ggml.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ech0 {

struct ScalarFormat {
    ggml_type type = GGML_TYPE_COUNT;
    int block = 0;                        ///< weights that share d and dmin
    int sub = 0;                          ///< weights that share a scale and a min; equal to block where d serves alone
    bool has_min = false;                 ///< an offset beside the scale
    int least_scale = 1, most_scale = 1;  ///< both 1: no scales per sub-block
    int most_min = 1;                     ///< mins are 0 … most_min; 1 where dmin serves alone
    std::vector<float> levels;            ///< ascending
    bool uniform = true;                  ///< levels are consecutive integers

    bool has_scales() const { return most_scale > 1; }
    int n_subs() const { return block / sub; }
};

/// nullptr for codebook types and plain floats.
const ScalarFormat* scalar_format(ggml_type type);

/// What a block stores, before its bits are packed.
struct ScalarBlock {
    ggml_fp16_t d = 0, dmin = 0;
    std::array<int16_t, 16> scale{}, min{};  ///< per sub-block, within the format's ranges
    std::array<uint8_t, 256> level{};        ///< index into levels, per weight
};

/// @param out  ggml_type_size(format.type) bytes
void pack(const ScalarFormat& format, const ScalarBlock& block, std::byte* out);

}  // namespace ech0
