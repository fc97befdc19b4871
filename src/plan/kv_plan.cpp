#include "plan/kv_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "ech0/error.h"

namespace ech0 {

const std::vector<std::string>& kv_type_names() {
    static const std::vector<std::string> names = {"f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"};
    return names;
}

const Estimate& KvPair::worst() const {
    return *std::max_element(kl_by_depth.begin(), kl_by_depth.end(),
                             [](const Estimate& a, const Estimate& b) { return a.mean < b.mean; });
}

KvPair predicted_pair(const KvPair& keys_alone, const KvPair& values_alone) {
    if (keys_alone.kl_by_depth.size() != values_alone.kl_by_depth.size())
        throw UsageError(fmt::format("a pair from {} and {} depths: wanted the same", keys_alone.kl_by_depth.size(),
                                     values_alone.kl_by_depth.size()));
    KvPair pair;
    pair.types = {keys_alone.types.k, values_alone.types.v};
    for (size_t d = 0; d < keys_alone.kl_by_depth.size(); d++) {
        const Estimate &a = keys_alone.kl_by_depth[d], &b = values_alone.kl_by_depth[d];
        pair.kl_by_depth.push_back({a.mean + b.mean, a.low + b.low, a.high + b.high});
    }
    return pair;
}

void mark_front(std::vector<KvPair>& pairs) {
    for (KvPair& pair : pairs) {
        pair.on_front = std::none_of(pairs.begin(), pairs.end(), [&](const KvPair& other) {
            const double kl = pair.worst().mean, other_kl = other.worst().mean;
            const bool no_worse = other.predicted_bytes <= pair.predicted_bytes && other_kl <= kl;
            return no_worse && (other.predicted_bytes < pair.predicted_bytes || other_kl < kl);
        });
    }
}

std::optional<size_t> choose_pair(const std::vector<KvPair>& pairs, double most_kl) {
    const auto plain =
        std::find_if(pairs.begin(), pairs.end(), [](const KvPair& p) { return p.types == CacheTypes{}; });
    const auto better = [&](const KvPair& a, const KvPair& b) {
        if (a.predicted_bytes != b.predicted_bytes) return a.predicted_bytes < b.predicted_bytes;
        return a.worst().mean < b.worst().mean;
    };
    std::optional<size_t> chosen;
    for (size_t i = 0; i < pairs.size(); i++) {
        const KvPair& pair = pairs[i];
        if (!pair.measured || (plain != pairs.end() && pair.predicted_bytes >= plain->predicted_bytes)) continue;
        const bool close = std::all_of(pair.kl_by_depth.begin(), pair.kl_by_depth.end(),
                                       [&](const Estimate& kl) { return kl.high <= most_kl; });
        if (close && (!chosen || better(pair, pairs[*chosen]))) chosen = i;
    }
    return chosen;
}

}  // namespace ech0
