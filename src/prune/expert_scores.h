#pragma once

// Which experts of a mixture a model could do without. An expert's worth is what it really adds to the stream: the norm
// of its output times the weight that the router gave it, summed over the tokens that chose it. Both are the engine's
// own, so every way of routing (softmax, sigmoid, normed, scaled) counts as it is.
// Source: router-weighted expert activation, Lasby et al. 2025, "REAP the Experts".

#include <vector>

#include "prune/method.h"
#include "runtime/source.h"
#include "runtime/walk.h"

namespace ech0 {

/// Of each layer's experts, [n_layer][n_expert]; a layer without experts has none.
using ExpertScores = std::vector<std::vector<double>>;

/// @param score  measured: as above, a mean per token of the text; magnitude: the squares of an expert's weights
/// @throws UsageError if the score is none for experts, or the engine's graph shows no weighted outputs; EngineError,
/// Interrupted
ExpertScores expert_scores(const Source& source, const Chunks& chunks, UnitScore score, int64_t n_ctx, int n_threads,
                           const Progress& progress);

}  // namespace ech0
