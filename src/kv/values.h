#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kv/rope.h"
#include "kv/state.h"

namespace ech0 {

/// K and V of one layer as numbers: keys before they were turned by position (rope.h), both before the engine's own
/// Hadamard rotation of quantized caches.
struct KvLayerValues {
    std::vector<float> k, v;  ///< [n_tokens, n_head_kv * head size]
};

/// Size of the Hadamard matrix that the engine multiplies heads of d with before it stores them in `type`; 0: none.
/// (llama-kv-cache.cpp: quantized types, heads that 64 divides; keys by the largest power of two, values by 64.)
int64_t hadamard_size(int32_t type, int64_t d, bool is_key);

/// Multiply each run of n numbers with the orthonormal Hadamard matrix of n, its own inverse.
void hadamard(int64_t n, std::span<float> x);

/// Heads and how keys are turned, which the state itself does not say.
struct KvHeads {
    Rope rope;
    int64_t d_k = 0, d_v = 0;
};

/// Layer `layer` of a state with one cache and one stream.
/// @param bytes  the whole state
KvLayerValues read_layer(const KvState& state, std::span<const uint8_t> bytes, const KvHeads& heads, int64_t layer);

/// The inverse: into the state's bytes, in the cache's own type.
void write_layer(const KvState& state, const KvHeads& heads, int64_t layer, KvLayerValues values,
                 std::span<uint8_t> bytes);

/// What this codec can work on: one cache and one stream, V beside K, each token once.
/// @throws UsageError naming what there is instead
void require_plain_cache(const KvState& state, std::string_view name);

/// Positions of the cells, in their order.
std::vector<int32_t> positions_of(const KvState& state);

}  // namespace ech0
