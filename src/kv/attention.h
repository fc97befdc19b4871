#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kv/profile.h"

namespace ech0 {

/// Mean squared attention that the next tokens will probably pay to each token: the profile's queries, placed behind
/// the last position, meet the keys as they are (Devoto et al. 2025, "Expected Attention", by samples instead of a
/// normal distribution). An error in V at token j reaches the output times a_j, so its square counts a_j^2; errors in K
/// too.
/// @param k  [n_tokens, n_head_kv * d_k], before turning
/// @return [n_tokens, n_head_kv], as multiples of what was usual in calibration
std::vector<float> expected_attention(const KvProfile& profile, int64_t layer, std::span<const float> k,
                                      std::span<const int32_t> pos, int n_threads);

/// Squared attention of one query to all keys, added to `sum`. @param k  [n_tokens, stride], turned
void add_squared_attention(const float* query, const float* k, int64_t n_tokens, int64_t stride, int64_t d, float* sum);

/// Steps of the tokens from what attention they get: 4 log2 of the step against the layer's own, [n_tokens, n_head_kv].
std::vector<int8_t> exponents_of(std::span<const float> attention, int64_t n_head_kv);

}  // namespace ech0
