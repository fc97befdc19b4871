#pragma once

// How much memory a compression takes, before it begins, and what gives way when that is too much: hidden states and
// logits go to a file, fewer matrices are measured at once, and wide inputs are cut into narrower ranges, which is the
// only one that costs quality (cross moments between ranges are not kept).
//
// The largest stage is the last rounding: two versions of a layer in half precision; for the input under way the
// moments of both parts of the text (H, C and S of compress/repair.h each); and nine matrices of one range's size:
// copies of H and C of both parts while settings are chosen, the metric's H and U, and the factor, its input and the
// difference C - H of the fit.

#include "calibrate/moments.h"
#include "ech0/model.h"

namespace ech0 {

struct MemoryNeeds {
    const Model& model;
    int64_t n_ctx = 512;
    int64_t calibration_tokens = 0, probe_tokens = 0, judged_tokens = 0, polish_tokens = 0;
    int n_threads = 1;
};

struct MemoryPlan {
    MomentLimits limits;
    int metric_threads = 1;  ///< tensors whose errors are measured at once
    int64_t kept_bytes = 0;  ///< of hidden states and logits, in memory; the others are spilled
    int64_t peak_bytes = 0;  ///< predicted, with what the process has taken so far
};

/// The widest moments that fit.
/// @param limit_bytes  0: what the machine can spare now
/// @param widest_before  of a run that this one goes on with, kept if it fits; 0: none
/// @throws UsageError if no width fits, with what is needed at least
MemoryPlan plan_memory(const MemoryNeeds& needs, int64_t limit_bytes, int64_t widest_before = 0);

}  // namespace ech0
