#include "kv/loss.h"

#include <fmt/format.h>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/divergence.h"
#include "verify/interval.h"

namespace ech0 {
namespace {

/// Logits of the stretches that are judged, one after another, each [n_scored, n_vocab].
using Stretches = std::vector<std::vector<float>>;

/// Values per judged token at each depth, text after text.
struct Samples {
    std::vector<std::vector<float>> kl, same_top1;  // [n_depths][n_texts * n_scored]
};

Stretches read_with(const Session& weights, const CacheTypes& types, const std::vector<int32_t>& text,
                    const KvLossOptions& options) {
    Session session(weights, {.n_ctx = options.depths.back(),
                              .n_outputs = options.n_scored,
                              .n_threads = options.n_threads,
                              .type_k = types.k,
                              .type_v = types.v});
    Stretches result;
    int64_t at = 0;
    const auto read = [&](int64_t end, bool wanted) {
        const auto n = static_cast<size_t>(end - at);
        const std::span<const int32_t> tokens = std::span(text).subspan(static_cast<size_t>(at), n);
        at = end;
        return session.decode(tokens, wanted ? 0 : static_cast<int64_t>(n));
    };
    for (const int64_t depth : options.depths) {
        // What stands before a token predicts it, so the stretch begins one earlier and ends one earlier.
        if (depth - options.n_scored - 1 > at) read(depth - options.n_scored - 1, false);
        const std::span<const float> logits = read(depth - 1, true);
        result.emplace_back(logits.begin(), logits.end());
    }
    return result;
}

void add_samples(Samples& samples, const Stretches& plain, const Stretches& rounded, const std::vector<int32_t>& text,
                 const KvLossOptions& options) {
    for (size_t d = 0; d < plain.size(); d++) {
        const auto first = static_cast<size_t>(options.depths[d] - options.n_scored);
        const std::span<const int32_t> next = std::span(text).subspan(first, static_cast<size_t>(options.n_scored));
        for (const Score& score : compare(plain[d], rounded[d], next, options.n_threads)) {
            samples.kl[d].push_back(static_cast<float>(score.kl_divergence));
            samples.same_top1[d].push_back(score.same_top1 ? 1.0F : 0.0F);
        }
    }
}

KvLoss loss_of(const CacheTypes& types, const Samples& samples, int64_t n_texts) {
    KvLoss loss{types, {}, {}};
    for (size_t d = 0; d < samples.kl.size(); d++) {
        const Distribution kl = distribution(samples.kl[d], n_texts);
        loss.kl_by_depth.push_back({kl.mean, kl.low, kl.high});
        loss.top1_by_depth.push_back(share_with_interval(samples.same_top1[d], n_texts));
    }
    return loss;
}

}  // namespace

void check(const KvLossOptions& options) {
    if (options.depths.empty() || options.n_scored < 16)
        throw UsageError(fmt::format("{} depths with {} tokens to judge: wanted one depth and 16 tokens at least",
                                     options.depths.size(), options.n_scored));
    int64_t last = 0;
    for (const int64_t depth : options.depths) {
        if (depth - options.n_scored - 1 < last)
            throw UsageError(fmt::format("a depth of {} tokens has no room for {} to judge after the {} before it",
                                         depth, options.n_scored, last));
        last = depth;
    }
}

std::vector<KvLoss> measure_kv_losses(const Session& weights, const Chunks& texts, std::span<const CacheTypes> types,
                                      const KvLossOptions& options, const Progress& progress) {
    check(options);
    const size_t n_depths = options.depths.size();
    std::vector<Samples> samples(
        types.size(), {std::vector<std::vector<float>>(n_depths), std::vector<std::vector<float>>(n_depths)});
    const auto n_runs = static_cast<int64_t>(texts.size() * (types.size() + 1));
    int64_t n_done = 0;
    const auto step = [&] {
        check_interrupt();
        if (progress) progress("read with each cache", n_done++, n_runs);
    };
    for (const std::vector<int32_t>& text : texts) {
        if (static_cast<int64_t>(text.size()) < options.depths.back())
            throw UsageError(fmt::format("a text of {} tokens, wanted {} for the deepest place", text.size(),
                                         options.depths.back()));
        step();
        const Stretches plain = read_with(weights, {}, text, options);
        for (size_t t = 0; t < types.size(); t++) {
            step();
            add_samples(samples[t], plain, read_with(weights, types[t], text, options), text, options);
        }
    }
    std::vector<KvLoss> losses;
    for (size_t t = 0; t < types.size(); t++)
        losses.push_back(loss_of(types[t], samples[t], static_cast<int64_t>(texts.size())));
    return losses;
}

}  // namespace ech0
