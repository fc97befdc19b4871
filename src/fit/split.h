#pragma once

// A model over several machines: this one takes the first layers, workers of the engine's RPC backend the rest. Each
// token passes every machine in turn, so the fewest are taken that hold it, and as much as fits stays here.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ech0/model.h"
#include "ech0/session.h"
#include "fit/run_plan.h"
#include "runtime/workers.h"

namespace ech0 {

/// What one machine holds.
struct SplitPart {
    std::string name;     ///< "this machine", or the worker's endpoint
    int64_t n_layer = 0;  ///< the output matrix counts as one
    int64_t need_bytes = 0, free_bytes = 0;
};

struct Split {
    std::vector<SplitPart> parts;     ///< this machine first
    std::vector<RemoteShare> remote;  ///< for SessionOptions; empty if all fits here
    bool fits = false;
};

/// @param plan    what the model takes in all, and what this machine may give
/// @param layers  how many each gets, this machine first; empty = as many as fit, in this order
/// @throws UsageError if `layers` are not as many as machines, or not all of the model's
Split plan_split(const Model& model, const RunPlan& plan, std::span<const Worker> workers,
                 std::span<const int64_t> layers);

}  // namespace ech0
