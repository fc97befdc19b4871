#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ech0/evidence.h"
#include "ech0/model.h"
#include "ech0/progress.h"
#include "kv/eviction.h"

namespace ech0 {

struct KeepMeasureOptions {
    int64_t n_ctx = 1024;         ///< tokens that the context holds; when it is full, some are forgotten
    int64_t n_rounds = 2;         ///< times n_ctx are read before judging; fewer if the model was trained on less
    std::vector<int64_t> n_keep;  ///< to try
    int64_t n_texts = 4;          ///< stretches of the text
    int64_t n_next = 128;         ///< tokens judged after each
    int64_t n_trials = 5;         ///< contexts with five facts each
    int n_threads = 0;
};

/// What one policy does with so many tokens.
struct KeepResult {
    KeepPolicy policy = KeepPolicy::recent;
    int64_t n_keep = 0;
    Estimate kl_divergence = {};  ///< from a cache of all that was read, nats per token
    Estimate top1_agreement = {};
    int64_t n_facts = 0, n_hits = 0, n_preferred = 0;  ///< retrieval.h, summed over depths
    bool holds = false;                                ///< good enough to be used
};

struct KeepReport {
    std::string model, text_sha256, engine;
    int64_t n_ctx = 0, n_read = 0, n_texts = 0, n_next = 0;
    int64_t n_facts = 0, n_hits = 0, n_preferred = 0;  ///< of the whole cache
    double most_kl = 0, most_lost = 0;  ///< what holds: KL at most, share of preferred facts lost at most
    std::vector<KeepResult> results;
    double seconds = 0;
};

/// Read text, forget tokens each time that n_ctx are there, and a last time before the next tokens are judged; and ask
/// for facts that stand in n_ctx tokens of which some were forgotten (retrieval.h).
/// @throws UsageError if the text is too short, or the cache is of a kind that has no profile
KeepReport measure_keeping(const Model& model, const KvProfile& profile, const std::string& text,
                           const KeepMeasureOptions& options, const Progress& progress);

}  // namespace ech0
