#pragma once

// Which units of which layers go: the cheapest predicted KL divergence per weight removed, over all layers and both
// kinds. A curve's steps need not grow steadily, so the greedy walk takes runs of steps along the curve's lower hull.

#include "prune/removal.h"
#include "prune/structure.h"

namespace ech0 {

enum class UnitKind { kv_heads, channels };

/// One layer's one kind.
struct CutCurve {
    int64_t layer = 0;
    UnitKind kind = UnitKind::channels;
    int64_t params_per_unit = 0;
    double gain = 0;  ///< KL divergence, nats, per share of the output's square that is lost; measured
    std::vector<RemovalStep> steps;
    int64_t most_steps = 0;  ///< no more of them: something must stay
};

struct Choice {
    Structure structure;
    int64_t removed_params = 0;
    double predicted_kl = 0;
};

/// @throws UsageError if all units together are fewer weights than asked for
Choice choose_units(const Model& model, const std::vector<CutCurve>& curves, int64_t params_to_remove);

}  // namespace ech0
