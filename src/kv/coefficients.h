#pragma once

// The numbers of one layer after transform and quantizer, as bits. Each coefficient k is a small integer, and how large
// it probably is, is known: the spread that calibration saw in its place against the step it was divided by. That, how
// large its neighbours turned out against what was expected of them, and its place are the contexts that its bits are
// coded in (mixed_bits.h). Low bits of numbers that are expected to be large are close to coin tosses and coded as
// such. Everything here is integers: what is read never depends on the rounding of a machine.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kv/mixed_bits.h"

namespace ech0 {

/// What is coded of a layer: token by token, block by block (K of each head, then V of each head).
struct LayerCodes {
    int64_t n_tokens = 0, n_head = 0;
    std::vector<int64_t> widths;          ///< [n_blocks] coefficients in a block
    std::vector<int16_t> log_spread;      ///< [sum of widths] expected spread of each, 16 log2
    std::vector<int8_t> exponents;        ///< [n_tokens, n_head] how much coarser than the layer: 4 log2
    std::vector<std::vector<int32_t>> k;  ///< [n_blocks] [n_tokens, width]
};

constexpr int32_t max_exponent = 31;  ///< exponents lie in -32 … 31

/// What was learnt of the numbers' statistics; coding starts from it and goes on learning in a copy.
class CoefficientModel {
public:
    CoefficientModel() = default;
    CoefficientModel(int64_t n_head, int64_t n_coefficients);

    std::string serialized() const;
    /// @throws FormatError if it is not as long as the layer's shape says
    static CoefficientModel parse(std::string_view bytes, int64_t n_head, int64_t n_coefficients);

    std::vector<BitCounter> counters;
    std::vector<MixerWeights> mixers;
};

/// @param step  16 log2 of the file's step
/// @param model  is left as it has learnt
std::string write_codes(const LayerCodes& codes, int32_t step, CoefficientModel& model);

/// Fill `exponents` and `k` of a layer whose shape and spreads are set.
/// @throws FormatError if the bytes can't be such a stream
void read_codes(std::span<const uint8_t> bytes, int32_t step, CoefficientModel model, LayerCodes& codes);

}  // namespace ech0
