#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ech0/model.h"
#include "ech0/progress.h"
#include "plan/kv_plan.h"
#include "verify/evaluation_text.h"

namespace ech0 {

struct KvPlanOptions {
    int64_t n_ctx = 4096;
    std::vector<int64_t> depths = {};  ///< empty = a quarter, a half and the whole of n_ctx
    std::vector<std::string> types_k = {},
                             types_v = {};  ///< empty = all that a cache may have; f16 is always among them
    int64_t n_scored = 0;                   ///< tokens judged at each depth of each text; 0 = 128, or n_ctx / 8
    int64_t n_texts = 4;                    ///< at most so many stretches of the text, spread over it
    double most_kl = usual_most_kl;         ///< nats per token that the cache may lose at any depth
    int n_threads = 0;
    bool on_cpu = true;                  ///< the context lies in the same memory as the program
    std::filesystem::path program = {};  ///< that measures memory in processes of its own; empty = not measured
};

/// Measure and choose; see plan/kv_plan.h.
/// @param text  long enough for one context
/// @throws UsageError if the context is longer than the model was trained on, the text too short, a type none of
///         kv_type_names(), a depth out of range, or if the model's heads allow none of the types; EngineError;
///         Interrupted
KvPlan make_kv_plan(const Model& model, const EvaluationText& text, const KvPlanOptions& options,
                    const Progress& progress = {});

}  // namespace ech0
