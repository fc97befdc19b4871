#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kv/profile.h"
#include "kv/values.h"

namespace ech0 {

/// The decoded layers that a layer is predicted from: the one before it, the one before that; null where there is none.
using LayersBefore = std::array<const KvLayerValues*, n_layers_before>;

/// The features that one row of a block is predicted from: 1, the layers before, this layer's heads so far.
void gather_features(const KvProfile& profile, int64_t layer, bool is_value, int64_t head, int64_t row,
                     const LayersBefore& before, const KvLayerValues& here, float* out);

/// An empty LayerCodes of this layer.
LayerCodes codes_of_layer(const KvProfile& profile, int64_t layer, int64_t n_tokens);

// A coefficient counts as k if it lies above k - 1/2 + this: a little error for fewer bits. More (0.12, 0.18, 0.24)
// saves more bits, and so does giving back the mean of what was rounded to k instead of k itself; but both shrink what
// is decoded, and at equal bytes the divergence is 1.2 to 2 times as large (768-wide model, two documents).
constexpr float dead_zone = 0.06F;

/// Transform and quantize a layer.
/// @param step  16 log2; @param exponents  [n_tokens, n_head_kv] (exponents_of)
/// @param decoded  becomes what restore_layer gives, to the bit with any number of threads
LayerCodes quantize_layer(const KvProfile& profile, int64_t layer, int32_t step, const KvLayerValues& values,
                          std::vector<int8_t> exponents, const LayersBefore& before, int n_threads,
                          KvLayerValues& decoded);

/// The numbers that the codes stand for.
KvLayerValues restore_layer(const KvProfile& profile, int64_t layer, int32_t step, const LayerCodes& codes,
                            const LayersBefore& before, int n_threads);

}  // namespace ech0
