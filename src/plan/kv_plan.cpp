#include "plan/kv_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ech0/error.h"

namespace ech0 {

const std::vector<std::string>& kv_type_names() {
    static const std::vector<std::string> names = {"f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"};
    return names;
}

Estimate KvPair::worst() const {
    Estimate worst = kl_by_depth.at(0);
    for (const Estimate& kl : kl_by_depth) {
        const double high = std::max(worst.high, kl.high);
        if (kl.mean > worst.mean) worst = kl;
        worst.high = high;
    }
    return worst;
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

namespace {

/// The smallest measured pair below so many bytes that is `close`; of equals the closest.
template <typename Close>
std::optional<size_t> smallest(const std::vector<KvPair>& pairs, int64_t below_bytes, const Close& close) {
    const auto better = [](const KvPair& a, const KvPair& b) {
        if (a.predicted_bytes != b.predicted_bytes) return a.predicted_bytes < b.predicted_bytes;
        return a.worst().mean < b.worst().mean;
    };
    std::optional<size_t> found;
    for (size_t i = 0; i < pairs.size(); i++) {
        if (!pairs[i].measured || pairs[i].predicted_bytes >= below_bytes || !close(pairs[i].worst())) continue;
        if (!found || better(pairs[i], pairs[*found])) found = i;
    }
    return found;
}

int64_t plain_bytes(const std::vector<KvPair>& pairs) {
    for (const KvPair& pair : pairs)
        if (pair.types == CacheTypes{}) return pair.predicted_bytes;
    return std::numeric_limits<int64_t>::max();
}

}  // namespace

std::optional<size_t> choose_pair(const std::vector<KvPair>& pairs, double most_kl) {
    return smallest(pairs, plain_bytes(pairs), [&](const Estimate& kl) { return kl.high <= most_kl; });
}

std::optional<size_t> undecided_pair(const std::vector<KvPair>& pairs, std::optional<size_t> chosen, double most_kl) {
    const int64_t below = chosen ? pairs[*chosen].predicted_bytes : plain_bytes(pairs);
    return smallest(pairs, below, [&](const Estimate& kl) { return kl.mean <= most_kl && kl.high > most_kl; });
}

}  // namespace ech0
