#include "runtime/divergence.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ech0/error.h"

namespace ech0 {
namespace {

std::vector<float> logs(const std::vector<double>& probabilities, double shift) {
    std::vector<float> logits;
    for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p) + shift));
    return logits;
}

std::vector<float> random_logits(size_t n, double spread, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal(0, static_cast<float>(spread));
    std::vector<float> logits(n);
    for (float& logit : logits) logit = normal(random);
    return logits;
}

Score compare_one(std::span<const float> original, std::span<const float> candidate, int32_t next) {
    return compare(original, candidate, std::span(&next, 1), 1).front();
}

TEST_CASE("divergence of two coins is the closed formula") {
    for (const double p : {0.5, 0.9, 0.999}) {
        for (const double q : {0.5, 0.25, 0.001}) {
            const double expected = p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q));
            // shifts: logits are only defined up to a constant
            const Score score = compare_one(logs({p, 1 - p}, 7), logs({q, 1 - q}, -3), 1);
            CHECK(score.kl_divergence == doctest::Approx(expected).epsilon(1e-6));
            CHECK(score.nll_original == doctest::Approx(-std::log(1 - p)).epsilon(1e-6));
            CHECK(score.nll_candidate == doctest::Approx(-std::log(1 - q)).epsilon(1e-6));
        }
    }
}

TEST_CASE("a uniform distribution against a peaked one is the closed formula") {
    const int n = 1000;
    std::vector<double> peaked(n, 0.1 / (n - 1));
    peaked[17] = 0.9;
    const std::vector<double> uniform(n, 1.0 / n);
    const double expected = std::log(1.0 / n) - (std::log(0.9) + (n - 1) * std::log(0.1 / (n - 1))) / n;
    const Score score = compare_one(logs(uniform, 0), logs(peaked, 0), 17);
    CHECK(score.kl_divergence == doctest::Approx(expected).epsilon(1e-6));
    CHECK_FALSE(score.same_top1);  // of equals the first is the favourite
    CHECK(compare_one(logs(peaked, 0), logs(peaked, 1), 17).same_top1);
}

TEST_CASE("shifting all logits of one normal distribution by a temperature is the closed formula") {
    // softmax of x and of x/2 over two tokens with logits 0 and d: p = sigmoid(d), q = sigmoid(d/2)
    const double d = 3;
    const double p = 1 / (1 + std::exp(-d)), q = 1 / (1 + std::exp(-d / 2));
    const double expected = p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q));
    const std::vector<float> x = {0, 3}, y = {0, 1.5F};
    CHECK(compare_one(x, y, 0).kl_divergence == doctest::Approx(expected).epsilon(1e-12));
}

TEST_CASE("the fast comparison equals the naive double loop on vocabularies of any length") {
    for (const size_t n_vocab : {2U, 15U, 16U, 17U, 1000U, 32001U}) {
        for (const double spread : {0.1, 3.0, 20.0}) {
            const auto x = random_logits(n_vocab, spread, n_vocab);
            auto y = random_logits(n_vocab, 0.3, n_vocab + 1);
            for (size_t i = 0; i < n_vocab; ++i) y[i] += x[i];
            const auto next = static_cast<int32_t>(n_vocab / 2);
            const Score fast = compare_one(x, y, next);
            const Score plain = compare_plainly(x, y, next);
            CAPTURE(n_vocab);
            CAPTURE(spread);
            CHECK(fast.kl_divergence == doctest::Approx(plain.kl_divergence).epsilon(1e-11));
            CHECK(fast.nll_original == doctest::Approx(plain.nll_original).epsilon(1e-12));
            CHECK(fast.nll_candidate == doctest::Approx(plain.nll_candidate).epsilon(1e-12));
            CHECK(fast.same_top1 == plain.same_top1);
        }
    }
}

TEST_CASE("a tiny divergence keeps its digits") {
    // q differs from p by eps in one logit: KL = p0 (1 - p0) eps^2 / 2 to second order
    const size_t n = 50000;
    auto x = random_logits(n, 2, 3);
    x[0] = 12;  // x[0] + 2^-12 is exact in float
    auto y = x;
    const double eps = 0x1p-12;
    y[0] += static_cast<float>(eps);
    const double p0 = std::exp(log_softmax(x, 0));
    CHECK(compare_one(x, y, 0).kl_divergence == doctest::Approx(p0 * (1 - p0) * eps * eps / 2).epsilon(1e-3));
}

TEST_CASE("equal logits have divergence exactly zero") {
    const auto x = random_logits(49152, 4, 9);
    CHECK(compare_one(x, x, 5).kl_divergence == 0);
}

TEST_CASE("several positions on several threads are the positions one by one") {
    const size_t n_vocab = 777, n_tokens = 13;
    const auto x = random_logits(n_vocab * n_tokens, 3, 1);
    const auto y = random_logits(n_vocab * n_tokens, 3, 2);
    std::vector<int32_t> next;
    for (size_t t = 0; t < n_tokens; ++t) next.push_back(static_cast<int32_t>(t * 50));
    for (const int n_threads : {0, 1, 2, 5, 100}) {
        const auto scores = compare(x, y, next, n_threads);
        REQUIRE(scores.size() == n_tokens);
        for (size_t t = 0; t < n_tokens; ++t) {
            const Score one = compare_one(std::span(x).subspan(t * n_vocab, n_vocab),
                                          std::span(y).subspan(t * n_vocab, n_vocab), next[t]);
            CHECK(scores[t].kl_divergence == one.kl_divergence);
            CHECK(scores[t].nll_candidate == one.nll_candidate);
        }
    }
}

TEST_CASE("a ruled-out token is no division by zero") {
    const float minus = -std::numeric_limits<float>::infinity();
    const std::vector<float> x = {1, 2, minus}, y = {1, 2.5F, minus}, z = {1, minus, 2};
    const std::vector<float> x2 = {1, 2}, y2 = {1, 2.5F};
    CHECK(compare_one(x, y, 0).kl_divergence == doctest::Approx(compare_one(x2, y2, 0).kl_divergence));
    CHECK(compare_one(x, z, 0).kl_divergence > 100);  // the candidate excludes what the original says
    CHECK(std::isfinite(compare_one(x, z, 1).nll_candidate));
}

TEST_CASE("NaN and infinite logits are a broken model") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    std::vector<float> good(40, 1.0F);
    for (const float bad : {nan, inf}) {
        for (const size_t place : {0U, 20U, 39U}) {
            auto broken = good;
            broken[place] = bad;
            CHECK_THROWS_WITH_AS(compare_one(good, broken, 0), doctest::Contains("candidate computes NaN"),
                                 EngineError);
            CHECK_THROWS_WITH_AS(compare_one(broken, good, 0), doctest::Contains("original computes NaN"), EngineError);
        }
    }
    CHECK_THROWS_AS(compare_one(std::vector<float>(3, -inf), std::vector<float>(3, 0.0F), 0), EngineError);
}

TEST_CASE("sizes that don't match are refused") {
    const std::vector<float> four(4), six(6);
    const std::vector<int32_t> two = {0, 1}, outside = {0, 2}, negative = {-1, 0};
    CHECK_THROWS_AS(compare(four, six, two, 1), UsageError);
    CHECK_THROWS_AS(compare(four, four, std::vector<int32_t>{}, 1), UsageError);
    CHECK_THROWS_AS(compare(four, four, std::vector<int32_t>{0, 0, 0}, 1), UsageError);
    CHECK_THROWS_WITH_AS(compare(four, four, outside, 1), doctest::Contains("token 2 is outside the vocabulary of 2"),
                         UsageError);
    CHECK_THROWS_AS(compare(four, four, negative, 1), UsageError);
}

TEST_CASE("the favourite is the first of equals") {
    CHECK(top1(std::vector<float>{1, 3, 3, 2}) == 1);
    std::vector<float> many(100, 0.0F);
    many[40] = many[90] = 1;
    CHECK(top1(many) == 40);
}

}  // namespace
}  // namespace ech0
