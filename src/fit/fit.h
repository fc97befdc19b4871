#pragma once

// The decision: which size of which model, with which cache, on this machine. Every option's memory, speed and quality
// is computed before a weight is touched; each says how it is known (measured, published, predicted) and how far it may
// be off.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ech0/machine.h"
#include "ech0/model.h"
#include "fit/basis.h"

namespace ech0 {

enum class Prefer { quality, balanced, speed };
std::string_view prefer_name(Prefer prefer);
Prefer prefer_by_name(std::string_view name);  ///< @throws UsageError if there is none of that name

/// What is asked for.
struct FitConditions {
    Machine machine;
    int64_t n_ctx = 4096;
    std::vector<std::string> kv_types = {"f16", "q8_0"};  ///< of K and V, tried in this order
    Prefer prefer = Prefer::balanced;
    double min_tokens_per_s = 0;
};

struct FitOptions : FitConditions {
    std::vector<Model> models;  ///< to choose from; blueprints and heads of remote files too
    int n_threads = 0;
};

/// One way to have one of the models.
struct FitOption {
    std::string name;    ///< "qwen2.5:32b IQ4_XS, q8_0 cache"
    std::string model;   ///< as published figures call it, or as asked for
    std::string preset;  ///< "IQ4_XS"; "mix" = exactly as large as the memory allows, by ech0 compress; "as it is"
    std::string kv_type;
    int64_t kv_rank = 0;  ///< its place in FitOptions::kv_types
    int64_t n_params = 0, file_bytes = 0;
    double bits_per_weight = 0;
    MemoryParts memory;
    bool fits = false;
    SpeedEstimate speed;
    Quality quality;
    std::optional<Estimate> kv_loss;   ///< what the cache costs: KL from an f16 one, nats per token; not known: none
    Grade kv_grade = Grade::measured;  ///< measured of this file, or predicted: of the one that it would be made of
    double loss = 0;                   ///< what options are compared by: see choice.h
    bool on_front = false;
    std::string command;  ///< that makes the file
};

struct Refusal {
    std::string name, why;
};

struct Fit {
    Machine machine;
    int64_t n_ctx = 0;
    std::vector<FitOption> options;  ///< by model, then by size
    std::optional<size_t> recommended;
    std::string why;  ///< of the recommendation, or why there is none
    std::vector<Refusal> refused;
    std::string comparison;  ///< how the quality of different models was compared; empty for one model
    double seconds = 0;
};

/// @throws UsageError naming the longest context that the model was trained on, if this one is longer
void check_context(const Model& model, int64_t n_ctx);

/// Types of cache to consider where nobody named any: f16, q8_0, and for one model what its kept plan chose.
std::vector<std::string> usual_kv_types(const std::vector<Model>& models, int64_t n_ctx);

/// @throws UsageError for an unknown model, a context that a model can't have, or no memory at all
Fit fit(const FitOptions& options);

/// The same from what was gathered before: arithmetic only.
/// @throws UsageError if the basis lacks that context or cache for a model, or the machine has no memory at all
Fit decide(const FitBasis& basis, const FitConditions& conditions);

}  // namespace ech0
