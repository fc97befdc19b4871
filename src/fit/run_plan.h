#pragma once

// How one file is run on this machine: as large a context as asked for, and the cache's types that let it fit.

#include <cstdint>
#include <string>

#include "ech0/machine.h"
#include "ech0/model.h"
#include "fit/memory.h"

namespace ech0 {

/// What a person asked for; 0 and "" leave it to the plan.
struct RunWish {
    int64_t n_ctx = 0;
    std::string kv_type = {};
    int n_threads = 0;
};

struct RunPlan {
    int64_t n_ctx = 0;
    std::string kv_type;  ///< as cache_types reads it: "f16", "q8_0/q5_1"
    std::string kv_why;   ///< in words, what a kept plan (`kv plan`) had to say; empty if it decided nothing
    bool mapped = false;  ///< the weights don't fit: they stay in the file and are read as they are needed
    MemoryParts memory;
    int64_t budget_bytes = 0;
    bool fits = false;
};

/// The context is 4096 tokens (what the model was trained on, if that is less) or the one asked for; the cache is f16,
/// or the closest that fits of those that a kept plan (`kv plan`) found close enough; without such a plan q8_0 where
/// only that fits. Where none does, the context is halved down to 1024 tokens, unless it was asked
/// for.
/// @throws EngineError if the engine refuses the model, or the type of cache; UsageError for a context out of range
RunPlan plan_run(const Model& model, const Machine& machine, const RunWish& wish);

}  // namespace ech0
