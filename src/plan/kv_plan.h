#pragma once

// Which types the KV cache of a model should have. Keys and values may have types of their own, seven of each make 49
// pairs, and each costs memory (known beforehand, to the byte, from the engine) and closeness (known only by running
// the model). Not all pairs are run. Rounding keys and rounding values disturb attention at different places, and KL
// divergence is a quadratic form of small disturbances, so where they are independent of each other
//
//   KL(K, V) = KL(K, f16) + KL(f16, V)
//
// and 12 runs predict the other 36. That says which pairs may lie on the front of memory and closeness; those are then
// run for real, until every pair on the front was measured. docs/kv.md has what the sum was off by.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ech0/evidence.h"
#include "runtime/cache_types.h"

namespace ech0 {

/// The types that a cache may have, largest first.
const std::vector<std::string>& kv_type_names();

/// One pair of types.
struct KvPair {
    CacheTypes types;
    int64_t kv_bytes = 0;         ///< of the cache, as the engine plans it
    int64_t predicted_bytes = 0;  ///< of all that a context takes: cache, scratch, logits, the engine's books
    std::optional<int64_t> measured_kv_bytes, measured_bytes;  ///< of the same, in a process that filled the context
    std::vector<Estimate> kl_by_depth;                         ///< KL(f16 cache || this one), nats per token
    std::vector<double> top1_by_depth;  ///< share of tokens where both favour the same; empty if not measured
    bool measured = false;              ///< run; else the sum of what keys and values cost alone
    bool on_front = false;              ///< no other is both smaller and closer

    /// Over all depths: the largest mean with its lower end, and the largest upper end.
    Estimate worst() const;
};

struct KvRefusal {
    std::string pair, why;
};

struct KvPlan {
    std::string model, model_sha256;
    std::string text, text_sha256, engine, machine;
    int64_t n_ctx = 0, n_texts = 0, n_judged = 0;  ///< n_judged tokens at each depth, in all texts together
    std::vector<int64_t> depths;                   ///< tokens before the last one that is judged
    double most_kl = 0;
    std::vector<KvPair> pairs;       ///< by predicted bytes, largest first
    std::optional<size_t> chosen;    ///< of pairs
    std::vector<KvRefusal> refused;  ///< what the engine can't do for this model
    double seconds = 0;
};

/// What a cache may lose by itself: fit does not tell options apart that are within 0.005 nats of each other
/// (fit/choice.cpp).
constexpr double usual_most_kl = 0.005;

/// KL of a pair from what its keys and its values cost alone, depth by depth; the ends of the intervals add up.
/// @throws UsageError if the depths differ in number
KvPair predicted_pair(const KvPair& keys_alone, const KvPair& values_alone);

/// Mark the pairs that no other is smaller and at least as close, or as small and closer. f16 is always on it.
void mark_front(std::vector<KvPair>& pairs);

/// The smallest measured pair whose interval ends at `most_kl` or below at every depth; of equals the closest. Why the
/// upper ends: docs/kv.md.
/// @return nothing if none smaller than f16 is that close
std::optional<size_t> choose_pair(const std::vector<KvPair>& pairs, double most_kl);

/// The smallest measured pair that is smaller than the chosen one (or f16), whose means are within `most_kl` but not
/// its upper ends: more text may tell.
std::optional<size_t> undecided_pair(const std::vector<KvPair>& pairs, std::optional<size_t> chosen, double most_kl);

}  // namespace ech0
