#pragma once

// The lossy codec of KV caches: layer after layer, each predicted from the decoded one before it, transformed, rounded
// and coded (profile.h, layer_transform.h, coefficients.h). What it writes needs the model's profile to be read.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kv/profile.h"
#include "kv/state.h"

namespace ech0 {

/// K and V of a cache, coded.
struct LossyCache {
    int32_t step = 0;                 ///< 16 log2
    std::vector<std::string> layers;  ///< [n_layer]

    int64_t size_bytes() const;
};

/// Is this a cache of the profile's model, and one that the codec can take?
/// @throws UsageError naming what differs
void check_lossy(const KvState& state, const KvProfile& profile, std::string_view name);

/// @param bytes  the whole state
LossyCache pack_lossy(const KvProfile& profile, const KvState& state, std::span<const uint8_t> bytes, int32_t step,
                      int n_threads);

/// Put K and V into the state's bytes, in the cache's own types.
/// @throws FormatError naming the layer that is damaged
void unpack_lossy(const KvProfile& profile, const KvState& state, const LossyCache& cache, int n_threads,
                  std::span<uint8_t> bytes);

/// The step whose size is nearest to `wanted_bytes` from below, by bisection.
LossyCache pack_lossy_to_size(const KvProfile& profile, const KvState& state, std::span<const uint8_t> bytes,
                              int64_t wanted_bytes, int n_threads);

/// The coarsest step whose divergence, as `measure` finds it, is at most `most`.
/// @param measure  the KL divergence of reading on with these bytes of the state
/// @throws UsageError if even the finest step does not reach it
LossyCache pack_lossy_to_divergence(const KvProfile& profile, const KvState& state, std::span<const uint8_t> bytes,
                                    double most, int n_threads,
                                    const std::function<double(std::span<const uint8_t>)>& measure);

}  // namespace ech0
