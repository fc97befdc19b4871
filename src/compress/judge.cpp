#include "compress/judge.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compress/sensitivity.h"

namespace ech0 {

Judge::Judge(const Model& original, const Weights& weights, Chunks chunks, Judging how)
    : chunks_(std::move(chunks)), how_(std::move(how)), n_vocab_(original.n_vocab), reference_(how_.spill) {
    Walk walk = this->walk("original");
    walk.on_logits = [&](int64_t c, std::span<const float> logits) {
        check_logits(logits, n_vocab_, how_.n_threads);
        reference_.put(static_cast<size_t>(c), logits);
    };
    walk_model(original, weights, chunks_, walk);
}

std::vector<double> Judge::kl(const Model& version, const Weights& weights) const {
    return kl_on(version, weights, chunks_);
}

std::vector<double> Judge::kl_at_first(const Model& version, const Weights& weights) const {
    return kl_on(version, weights, {chunks_.front()});
}

std::vector<double> Judge::kl_on(const Model& version, const Weights& weights, const Chunks& chunks) const {
    std::vector<double> kl;
    Walk walk = this->walk("measure");
    walk.on_logits = [&](int64_t c, std::span<const float> logits) {
        const std::vector<double> part =
            kl_per_position(reference_[static_cast<size_t>(c)], logits, n_vocab_, how_.n_threads);
        kl.insert(kl.end(), part.begin(), part.end());
    };
    walk_model(version, weights, chunks, walk);
    return kl;
}

int64_t Judge::n_tokens() const {
    int64_t n = 0;
    for (const std::vector<int32_t>& chunk : chunks_) n += static_cast<int64_t>(chunk.size());
    return n;
}

Walk Judge::walk(const char* stage) const {
    return {{how_.n_ctx, how_.n_threads}, nullptr, {}, stage, how_.progress, how_.spill};
}

double mean_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double paired_score(const std::vector<double>& a, const std::vector<double>& b) {
    const auto n = static_cast<double>(a.size());
    double sum = 0, squares = 0;
    for (size_t i = 0; i < a.size(); i++) {
        const double d = a[i] - b[i];
        sum += d;
        squares += d * d;
    }
    const double mean = sum / n, variance = std::max(squares / n - mean * mean, 1e-300);
    return mean / std::sqrt(variance / n);
}

}  // namespace ech0
