#include "kv/eviction.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

#include "base/bytes.h"
#include "ech0/error.h"
#include "kv/attention.h"
#include "kv/lossy.h"
#include "kv/values.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

constexpr int64_t n_sinks = 4;
constexpr int64_t reach = 3;  // neighbours on either side

std::vector<float> with_neighbours(const std::vector<float>& scores) {
    std::vector<float> out;
    const auto n = static_cast<int64_t>(scores.size());
    for (int64_t i = 0; i < n; i++)
        out.push_back(*std::max_element(scores.begin() + std::max<int64_t>(0, i - reach),
                                        scores.begin() + std::min(n, i + reach + 1)));
    return out;
}

/// Attention that each token will get in all layers and heads together, in multiples of what is usual in each.
std::vector<float> expected_scores(const KvState& state, std::span<const uint8_t> bytes, const KvProfile& profile,
                                   int n_threads) {
    const std::vector<int32_t> pos = positions_of(state);
    std::vector<float> scores(pos.size());
    for (int64_t l = 0; l < static_cast<int64_t>(profile.layers.size()); l++) {
        const KvLayerValues values = read_layer(state, bytes, {profile.rope, profile.d_k, profile.d_v}, l);
        const std::vector<float> here = expected_attention(profile, l, values.k, pos, n_threads);
        const size_t n_head = here.size() / std::max<size_t>(1, pos.size());
        for (size_t i = 0; i < here.size(); i++) scores[i / n_head] += here[i];
    }
    return scores;
}

}  // namespace

std::string_view keep_policy_name(KeepPolicy policy) { return policy == KeepPolicy::recent ? "recent" : "expected"; }

std::vector<int64_t> tokens_to_keep(int64_t n_tokens, const std::vector<float>& scores, const KeepOptions& options) {
    if (options.n_keep < 2 * n_sinks)
        throw UsageError(fmt::format("{} tokens to keep, wanted at least {}", options.n_keep, 2 * n_sinks));
    std::vector<int64_t> kept(static_cast<size_t>(n_tokens));
    std::iota(kept.begin(), kept.end(), 0);
    if (n_tokens <= options.n_keep) return kept;
    const int64_t n_chosen = options.policy == KeepPolicy::recent ? 0 : (options.n_keep - n_sinks) / 2;
    const int64_t first_recent = n_tokens - (options.n_keep - n_sinks - n_chosen);
    std::vector<int64_t> middle(kept.begin() + n_sinks, kept.begin() + first_recent);
    if (n_chosen > 0) {
        std::vector<float> between = scores;  // what stays anyway makes its neighbours no better
        std::fill(between.begin(), between.begin() + n_sinks, 0.0F);
        std::fill(between.begin() + first_recent, between.end(), 0.0F);
        const std::vector<float> worth = with_neighbours(between);
        std::stable_sort(middle.begin(), middle.end(), [&](int64_t a, int64_t b) {
            return worth[static_cast<size_t>(a)] > worth[static_cast<size_t>(b)];
        });
    }
    middle.resize(static_cast<size_t>(n_chosen));
    middle.insert(middle.end(), kept.begin(), kept.begin() + n_sinks);
    middle.insert(middle.end(), kept.begin() + first_recent, kept.end());
    std::sort(middle.begin(), middle.end());
    return middle;
}

int64_t keep_in_cache(Session& session, const KvProfile& profile, const KeepOptions& options) {
    const std::string cache = session.state();
    const std::span<const uint8_t> bytes = bytes_of(cache);
    const KvState state = read_kv_state(bytes, "the cache");
    check_lossy(state, profile, "the cache");
    const int n_threads = options.n_threads > 0 ? options.n_threads : default_threads();
    const std::vector<int32_t> pos = positions_of(state);
    // Cells are used again once their tokens are forgotten, so they need not stand in the order of the text.
    std::vector<size_t> order(pos.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return pos[a] < pos[b]; });
    std::vector<float> scores;
    if (options.policy == KeepPolicy::expected) {
        const std::vector<float> by_cell = expected_scores(state, bytes, profile, n_threads);
        for (const size_t cell : order) scores.push_back(by_cell[cell]);
    }
    const std::vector<int64_t> kept = tokens_to_keep(std::ssize(pos), scores, options);
    int64_t behind = 0;
    for (const int64_t i : kept) {
        const int64_t at = pos[order[static_cast<size_t>(i)]];
        if (at > behind) session.forget(behind, at);
        behind = at + 1;
    }
    return std::ssize(kept);
}

}  // namespace ech0
