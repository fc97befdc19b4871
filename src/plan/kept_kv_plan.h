#pragma once

// What `kv plan` found out of a model is kept in the cache folder, kv-plans/MODEL-SHA256/, so that fit, chat and serve
// can go by it. A plan holds for its file, its engine, and contexts no longer than the deepest place that it judged.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ech0/evidence.h"
#include "ech0/model.h"
#include "plan/kv_plan.h"

namespace ech0 {

/// One measured pair, with what it loses at worst (KvPair::worst).
struct KeptKvPair {
    CacheTypes types;
    Estimate kl;
};

struct KeptKvPlan {
    std::string text, text_sha256;
    int64_t n_ctx = 0, n_judged = 0;
    double most_kl = 0;
    std::optional<CacheTypes> chosen;
    std::vector<KeptKvPair> pairs;  ///< that were measured, f16 among them

    /// Nothing if this pair was not measured.
    const Estimate* loss_of(const CacheTypes& types) const;
    /// Those that are allowed to be taken by themselves, closest first: f16, and what stays within most_kl.
    std::vector<CacheTypes> good() const;
};

/// Write what was measured; another plan on the same text to the same depth is replaced.
/// @throws FileError
void keep(const KvPlan& plan);

/// The kept plan for the shortest context that is no shorter than this one, of this engine; the one with most tokens
/// judged if there are several. A file whose hash was never computed has none: hashing tens of gigabytes takes longer
/// than anybody waits for an answer. Damaged files are passed over.
std::optional<KeptKvPlan> kept_kv_plan(const Model& model, int64_t n_ctx);

}  // namespace ech0
