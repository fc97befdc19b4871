#include "verify/interval.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ech0/error.h"

namespace ech0 {
namespace {

/// Values of chunks that each have a level of their own (what makes tokens of one paragraph alike) around mean 2.
std::vector<float> correlated(std::mt19937_64& random, int64_t n_chunks, int64_t per_chunk) {
    std::normal_distribution<double> level(2, 0.5), noise(0, 1);
    std::vector<float> values;
    for (int64_t c = 0; c < n_chunks; ++c) {
        const double here = level(random);
        for (int64_t t = 0; t < per_chunk; ++t) values.push_back(static_cast<float>(here + noise(random)));
    }
    return values;
}

TEST_CASE("Student's t has the points of the printed table") {
    // Fisher and Yates 1938, table III, P = 0.05
    CHECK(student_t95(1) == doctest::Approx(12.706).epsilon(1e-4));
    CHECK(student_t95(2) == doctest::Approx(4.303).epsilon(2e-4));
    CHECK(student_t95(3) == doctest::Approx(3.182).epsilon(2e-4));
    CHECK(student_t95(4) == doctest::Approx(2.776).epsilon(2e-4));
    CHECK(student_t95(9) == doctest::Approx(2.262).epsilon(2e-4));
    CHECK(student_t95(30) == doctest::Approx(2.042).epsilon(2e-4));
    CHECK(student_t95(120) == doctest::Approx(1.980).epsilon(2e-4));
    CHECK(student_t95(100000) == doctest::Approx(1.95996).epsilon(1e-4));
    CHECK_THROWS_AS(student_t95(0), UsageError);
}

TEST_CASE("the interval is Student's, on the means of the chunks") {
    const std::vector<float> chunk_means = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    std::vector<float> values;
    for (const float mean : chunk_means) {
        for (int t = 0; t < 50; ++t) values.push_back(mean + (t % 2 == 0 ? 0.5F : -0.5F));
    }
    const Estimate estimate = mean_with_interval(values, 11);
    const double half = 2.228139 * std::sqrt(11.0) / std::sqrt(11.0);  // variance of 1 … 11 is 11
    CHECK(estimate.mean == doctest::Approx(6));
    CHECK(estimate.low == doctest::Approx(6 - half).epsilon(1e-5));
    CHECK(estimate.high == doctest::Approx(6 + half).epsilon(1e-5));
}

TEST_CASE("of a hundred experiments about ninety-five intervals hold the truth, though tokens of a chunk are alike") {
    std::mt19937_64 random(7);
    const int n_experiments = 20000;
    int n_held = 0, n_held_naively = 0;
    for (int e = 0; e < n_experiments; ++e) {
        const auto values = correlated(random, 20, 64);
        const Estimate estimate = mean_with_interval(values, 20);
        n_held += estimate.low <= 2 && 2 <= estimate.high ? 1 : 0;
        const double naive = 1.96 * std::sqrt(1.25 / static_cast<double>(values.size()));
        n_held_naively += std::abs(estimate.mean - 2) <= naive ? 1 : 0;
    }
    CHECK(n_held > 0.943 * n_experiments);  // 0.95 and its own error of 0.0015
    CHECK(n_held < 0.957 * n_experiments);
    CHECK(n_held_naively < 0.6 * n_experiments);  // what the textbook error of independent tokens would have claimed
}

TEST_CASE("few chunks are cut into pieces, and too few values are refused") {
    std::vector<float> values(256);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7);
    const Estimate one_chunk = mean_with_interval(values, 1);
    CHECK(one_chunk.low < one_chunk.mean);
    CHECK(one_chunk.high < 7);
    CHECK_THROWS_AS(mean_with_interval(std::vector<float>(15, 1.0F), 1), UsageError);
    CHECK_THROWS_AS(mean_with_interval(values, 3), UsageError);
    CHECK_THROWS_AS(mean_with_interval(values, 0), UsageError);
    CHECK_THROWS_AS(mean_with_interval({}, 1), UsageError);
}

TEST_CASE("a paired difference is narrower than its parts, and its sign is a minus b") {
    std::mt19937_64 random(3);
    const auto a = correlated(random, 20, 64);
    std::vector<float> b;
    std::normal_distribution<float> noise(0, 0.1F);
    for (const float value : a) b.push_back(value + 0.05F + noise(random));
    const Estimate difference = paired_difference(a, b, 20);
    CHECK(difference.mean == doctest::Approx(-0.05).epsilon(0.2));
    CHECK(difference.high < 0);
    const Estimate alone = mean_with_interval(a, 20);
    CHECK(difference.high - difference.low < (alone.high - alone.low) / 10);
    CHECK_THROWS_AS(paired_difference(a, std::vector<float>(3), 20), UsageError);
}

TEST_CASE("quantiles interpolate between order statistics") {
    const std::vector<float> values = {4, 1, 3, 2};
    CHECK(quantile(values, 0) == 1);
    CHECK(quantile(values, 1) == 4);
    CHECK(quantile(values, 0.5) == doctest::Approx(2.5));
    CHECK(quantile(values, 0.25) == doctest::Approx(1.75));
    CHECK_THROWS_AS(quantile({}, 0.5), UsageError);
    const Distribution d = distribution(std::vector<float>(64, 0.0F), 1);
    CHECK(d.mean == 0);
    CHECK(d.low == 0);
    CHECK(d.p99 == 0);
}

TEST_CASE("Wilson's interval has its published values") {
    // Newcombe 1998, Statistics in Medicine 17, table I, method 3
    const Estimate a = wilson_interval(81, 263);
    CHECK(a.low == doctest::Approx(0.2553).epsilon(2e-4));
    CHECK(a.high == doctest::Approx(0.3662).epsilon(2e-4));
    const Estimate none = wilson_interval(0, 20);
    CHECK(none.low == doctest::Approx(0));
    CHECK(none.high == doctest::Approx(0.1611).epsilon(2e-4));
    CHECK(wilson_interval(29, 29).low == doctest::Approx(0.8830).epsilon(2e-4));
    CHECK(wilson_interval(0, 0).high == 1);
}

TEST_CASE("shares of alike tokens get a wider interval than independent ones") {
    std::mt19937_64 random(11);
    std::vector<float> independent, alike;
    for (int c = 0; c < 20; ++c) {
        const bool good = random() % 2 == 0;
        for (int t = 0; t < 100; ++t) {
            independent.push_back(random() % 2 == 0 ? 1.0F : 0.0F);
            alike.push_back(random() % 10 == 0 ? static_cast<float>(!good) : static_cast<float>(good));
        }
    }
    const Estimate narrow = share_with_interval(independent, 20), wide = share_with_interval(alike, 20);
    const Estimate textbook = wilson_interval(narrow.mean * 2000, 2000);
    CHECK(narrow.high - narrow.low < 2 * (textbook.high - textbook.low));
    CHECK(narrow.high - narrow.low >= textbook.high - textbook.low);
    CHECK(wide.high - wide.low > 5 * (narrow.high - narrow.low));
    CHECK(share_with_interval(std::vector<float>(200, 1.0F), 2).mean == 1);
}

}  // namespace

TEST_CASE("percentiles go from the smallest to the largest by steps of one per cent") {
    std::vector<float> values;
    for (int i = 200; i >= 0; i--) values.push_back(static_cast<float>(i));
    const std::vector<double> found = percentiles(values);
    REQUIRE(found.size() == 101);
    CHECK(found[0] == 0);
    CHECK(found[50] == 100);
    CHECK(found[99] == 198);
    CHECK(found[100] == 200);
    CHECK_THROWS_AS(percentiles({}), UsageError);
}

TEST_CASE("means by position are taken over all chunks") {
    const std::vector<float> values = {1, 1, 2, 2, 3, 3, 4, 4};  // two chunks of four
    CHECK(means_by_position(values, 2, 2) == std::vector<double>{2, 3});
    CHECK(means_by_position(values, 2, 16) == std::vector<double>{2, 2, 3, 3});
    CHECK_THROWS_AS(means_by_position(values, 3, 2), UsageError);
}

}  // namespace ech0
