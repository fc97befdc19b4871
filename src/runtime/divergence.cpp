#include "runtime/divergence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/parallel.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

// Vocabularies have 32 to 256 thousand tokens and every position needs two exponentials for each, so the loops below
// are written for the vectorizer: fixed-size blocks, no branch, one accumulator per lane (a compiler may not reorder
// a floating-point sum by itself).
constexpr size_t lanes = 16;
// On x86 the loops are compiled for several vector widths and the processor's own is taken at load time: four times as
// fast as what every x86-64 has. Not under sanitizers, whose run time is not up yet when the choice is made.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define ECH0_VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ECH0_VECTOR_CLONES
#endif
constexpr double lowest = -700;  // exp(-700) = 1e-304 is the last comfortable double

/// exp(x) for x in [lowest, 0], relative error below 1e-14; inlined and branch-free, which std::exp is not.
/// x = n log 2 + r with |r| <= log(2)/2, exp(x) = 2^n exp(r), exp(r) by its Taylor series to degree 11 (next term:
/// 6e-15).
__attribute__((always_inline)) inline double exp_vector(double x) {
    constexpr double to_integer = 6755399441055744.0;  // 1.5 x 2^52: adding it rounds to an integer in the low bits
    constexpr double log2_high = 0.693147180369123816490, log2_low = 1.90821492927058770002e-10;  // fdlibm's split
    const double shifted = x * 1.44269504088896340736 + to_integer;
    const double n = shifted - to_integer;
    const double r = (x - n * log2_high) - n * log2_low;
    double sum = 1.0 / 39916800;
    sum = sum * r + 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 0.5;
    sum = sum * r + 1;
    sum = sum * r + 1;
    // n sits in the low bits of `shifted`; moved to the exponent field and added there, it multiplies by 2^n.
    return std::bit_cast<double>(std::bit_cast<uint64_t>(sum) + (std::bit_cast<uint64_t>(shifted) << 52));
}

struct Largest {
    float value = 0;
    int32_t index = 0;
    bool usable = true;  ///< no NaN, and the largest is finite
};

ECH0_VECTOR_CLONES Largest find_largest(std::span<const float> logits) {
    std::array<float, lanes> top;
    std::array<int32_t, lanes> nan{};
    top.fill(-INFINITY);
    const size_t whole = logits.size() - logits.size() % lanes;
    for (size_t i = 0; i < whole; i += lanes) {
        for (size_t k = 0; k < lanes; ++k) {
            const float x = logits[i + k];
            top[k] = x > top[k] ? x : top[k];
            nan[k] |= static_cast<int32_t>(x != x);
        }
    }
    for (size_t i = whole; i < logits.size(); ++i) {
        top[0] = std::max(top[0], logits[i]);
        nan[0] |= static_cast<int32_t>(std::isnan(logits[i]));
    }
    Largest largest;
    largest.value = *std::max_element(top.begin(), top.end());
    largest.usable =
        std::isfinite(largest.value) && std::all_of(nan.begin(), nan.end(), [](int32_t n) { return n == 0; });
    largest.index = static_cast<int32_t>(std::find(logits.begin(), logits.end(), largest.value) - logits.begin());
    return largest;
}

__attribute__((always_inline)) inline double clamped(double x) { return x > lowest ? x : lowest; }

/// Sums over the vocabulary of exp(x), exp(y) and exp(x) (x - y), with x and y relative to their largest.
struct Sums {
    double original = 0, candidate = 0, weighted_difference = 0;
};

ECH0_VECTOR_CLONES Sums sum_over_vocabulary(std::span<const float> original, double top_original,
                                            std::span<const float> candidate, double top_candidate) {
    std::array<double, lanes> p{}, q{}, d{};
    const auto add = [&](size_t k, float logit_x, float logit_y) __attribute__((always_inline)) {
        const double x = clamped(logit_x - top_original);
        const double y = clamped(logit_y - top_candidate);
        const double exp_x = exp_vector(x);
        p[k] += exp_x;
        q[k] += exp_vector(y);
        d[k] += exp_x * (x - y);
    };
    const size_t whole = original.size() - original.size() % lanes;
    for (size_t i = 0; i < whole; i += lanes) {
        for (size_t k = 0; k < lanes; ++k) add(k, original[i + k], candidate[i + k]);
    }
    for (size_t i = whole; i < original.size(); ++i) add(i - whole, original[i], candidate[i]);
    Sums sums;
    for (size_t k = 0; k < lanes; ++k) {
        sums.original += p[k];
        sums.candidate += q[k];
        sums.weighted_difference += d[k];
    }
    return sums;
}

Score compare_position(std::span<const float> original, std::span<const float> candidate, int32_t next) {
    const Largest top_original = find_largest(original);
    const Largest top_candidate = find_largest(candidate);
    if (!top_original.usable || !top_candidate.usable) {
        throw EngineError(
            fmt::format("the {} computes NaN or infinite logits: the file is damaged or the engine can't run it",
                        top_original.usable ? "candidate" : "original"));
    }
    const Sums sums = sum_over_vocabulary(original, top_original.value, candidate, top_candidate.value);
    const double log_p = std::log(sums.original);
    const double log_q = std::log(sums.candidate);
    Score score;
    score.nll_original = log_p - clamped(static_cast<double>(original[next]) - top_original.value);
    score.nll_candidate = log_q - clamped(static_cast<double>(candidate[next]) - top_candidate.value);
    // sum p (log p - log q) = sum p (x - y) - (log sum exp x - log sum exp y); rounding may leave -1e-16
    score.kl_divergence = std::max(0.0, sums.weighted_difference / sums.original - (log_p - log_q));
    score.same_top1 = top_original.index == top_candidate.index;
    return score;
}

void check_sizes(std::span<const float> original, std::span<const float> candidate, std::span<const int32_t> next) {
    if (original.size() != candidate.size() || next.empty() || original.size() % next.size() != 0) {
        throw UsageError(
            fmt::format("compare: {} and {} logits for {} positions; wanted the same whole number of rows in both",
                        original.size(), candidate.size(), next.size()));
    }
    const auto n_vocab = static_cast<int64_t>(original.size() / next.size());
    for (const int32_t token : next) {
        if (token < 0 || token >= n_vocab) {
            throw UsageError(fmt::format("compare: token {} is outside the vocabulary of {} tokens", token, n_vocab));
        }
    }
}

}  // namespace

std::vector<Score> compare(std::span<const float> original, std::span<const float> candidate,
                           std::span<const int32_t> next, int n_threads) {
    check_sizes(original, candidate, next);
    const size_t n_vocab = original.size() / next.size();
    std::vector<Score> scores(next.size());
    parallel_for(static_cast<int64_t>(next.size()), n_threads, [&](int64_t t) {
        const size_t at = static_cast<size_t>(t) * n_vocab;
        scores[t] = compare_position(original.subspan(at, n_vocab), candidate.subspan(at, n_vocab), next[t]);
    });
    return scores;
}

Score compare_plainly(std::span<const float> original, std::span<const float> candidate, int32_t next) {
    Score score;
    for (size_t i = 0; i < original.size(); ++i) {
        const double log_p = log_softmax(original, static_cast<int32_t>(i));
        const double log_q = log_softmax(candidate, static_cast<int32_t>(i));
        score.kl_divergence += std::exp(log_p) * (log_p - log_q);
    }
    score.nll_original = -log_softmax(original, next);
    score.nll_candidate = -log_softmax(candidate, next);
    score.same_top1 = std::max_element(original.begin(), original.end()) - original.begin() ==
                      std::max_element(candidate.begin(), candidate.end()) - candidate.begin();
    return score;
}

int32_t top1(std::span<const float> logits) { return find_largest(logits).index; }

double log_softmax(std::span<const float> logits, int32_t token) {
    const double top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - top);
    return logits[token] - top - std::log(sum);
}

}  // namespace ech0
