#pragma once

// What rounding the cache does to a model's predictions. The same weights read the same text twice: with an f16 cache,
// and with one of other types. At some depths of the context the next-token distributions of a stretch of tokens are
// compared. All that stands before the stretch was read with the rounded cache too, so errors that feed on errors are
// in it, as they are when the model is used.

#include <cstdint>
#include <span>
#include <vector>

#include "ech0/evidence.h"
#include "ech0/progress.h"
#include "ech0/session.h"
#include "runtime/cache_types.h"
#include "runtime/walk.h"

namespace ech0 {

struct KvLossOptions {
    std::vector<int64_t> depths;  ///< ascending; the predictions of the `n_scored` tokens up to there are compared
    int64_t n_scored = 128;
    int n_threads = 0;
};

struct KvLoss {
    CacheTypes types;
    std::vector<Estimate> kl_by_depth;  ///< KL(f16 || types), nats per token, with interval over the texts
    std::vector<Estimate> top1_by_depth;
};

/// For a caller who has work to do before. @throws UsageError if a depth has no room for the tokens to judge
void check(const KvLossOptions& options);

/// @param weights  a session whose weights are used; its own context is not
/// @param texts  token sequences, each at least as long as the last depth
/// @return in the order of `types`
/// @throws UsageError as check, or if a text is too short; EngineError if the engine can't have such a cache, or the
///         model puts out no numbers with it; Interrupted
std::vector<KvLoss> measure_kv_losses(const Session& weights, const Chunks& texts, std::span<const CacheTypes> types,
                                      const KvLossOptions& options, const Progress& progress = {});

}  // namespace ech0
