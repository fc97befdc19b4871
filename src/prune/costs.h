#pragma once

// What each removal would cost, in one currency: KL divergence of the whole model's output. How a unit's loss grows
// while its layer shrinks comes from the second moments of the layer's own inputs (prune/removal.h); how much that
// layer's loss hurts the model is measured once, on a real removal from it alone; whole layers are measured directly.

#include <set>

#include "calibrate/moments.h"
#include "prune/choose.h"
#include "prune/method.h"
#include "runtime/source.h"
#include "runtime/walk.h"

namespace ech0 {

struct CostJob {
    const Source& source;
    const MomentStore& moments;
    const Chunks& chunks;  ///< that the moments were gathered on
    Chunks probes;         ///< short pieces of text held out, that sensitivities are measured on
    int64_t n_ctx = 512;
    UnitScore score = UnitScore::measured;
    bool fine = false;            ///< channels in steps of 32, not of 256
    double share = 0.2;           ///< about so much is to go: where the gains are measured
    std::set<int64_t> untouched;  ///< layers that stay as they are
    int n_threads = 1;
    Progress progress;
};

/// @throws EngineError, FileError, Interrupted
CutCosts measure_costs(const CostJob& job);

/// Ridge of the least squares that units are judged by, a share of the mean square of the inputs.
constexpr float removal_ridge = 0.01F;

}  // namespace ech0
