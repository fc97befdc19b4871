#pragma once

// What is left of a model when heads, feed-forward channels and layers are cut away. A unit of attention is a KV head
// with the query heads that read it: the engine knows no finer one.

#include <cstdint>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// What stays of one layer.
struct KeptLayer {
    int64_t layer = 0;              ///< of the source
    std::vector<int32_t> kv_heads;  ///< ascending; empty: no attention
    std::vector<int32_t> channels;  ///< of the feed-forward part, ascending; empty: none
};

struct Structure {
    std::vector<KeptLayer> layers;  ///< ascending
};

/// Nothing cut away.
Structure whole(const Model& model);

/// Weights that a layer's matrices, biases and norms have with so many KV heads and channels.
int64_t layer_params(const Model& model, int64_t layer, int64_t n_kv_heads, int64_t n_channels);

/// Weights of the whole pruned model; embedding, output and their norm stay as they are.
int64_t n_params(const Model& model, const Structure& structure);

/// Can what is left of such a model be written, as `deci`, the one architecture with widths of its own for each layer?
/// @throws UsageError saying which part cannot and why
void check_prunable(const Model& model);

/// @throws UsageError if the engine could not run what is left: the first layer's heads tell it how wide a head is, and
/// a layer of deci that has attention but no feed-forward part loses what the attention put out
void check_runnable(const Structure& structure);

}  // namespace ech0
