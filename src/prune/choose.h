#pragma once

// Which units of which layers go, and which whole layers: the cheapest predicted KL divergence per weight removed. A
// curve's steps need not grow steadily, so the greedy walk takes runs of steps along the curve's lower hull; a whole
// layer is offered at its own measured price, less what has been paid for its parts already.

#include <limits>
#include <vector>

#include "ech0/units.h"
#include "prune/cut_costs.h"
#include "prune/structure.h"

namespace ech0 {

/// When enough is gone: so many units, so many weights, or as much as costs so little; all 0: nothing is asked for.
struct Quota {
    int64_t units = 0, params = 0;
    double kl = 0;  ///< nats, predicted, not to be exceeded
    bool asked() const { return units > 0 || params > 0 || kl > 0; }
};

/// @param n_units, n_params  all that there is
Quota quota_of(const Amount& amount, int64_t n_units, int64_t n_params);

/// Either over all kinds together, or kind by kind.
struct CutGoal {
    Quota all, layers, kv_heads, channels;
};

struct Choice {
    Structure structure;
    int64_t removed_params = 0;
    double predicted_kl = 0;  ///< nats, the sum of its single removals
};

/// @param stop_at_kl  stop on the way there, before more than this is predicted; there may be nothing in it
/// @throws UsageError if all that can go is less than asked for, less is asked for than the smallest step, or nothing
/// is as cheap as asked for
Choice choose_units(const Model& model, const CutCosts& costs, const CutGoal& goal,
                    double stop_at_kl = std::numeric_limits<double>::infinity());

}  // namespace ech0
