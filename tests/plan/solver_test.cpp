#include "plan/solver.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "ech0/error.h"

namespace ech0 {
namespace {

using Options = std::vector<std::vector<Option>>;

struct Total {
    int64_t bytes = 0;
    double loss = 0;
};

Total total(const Options& options, const std::vector<int32_t>& choice) {
    Total sum;
    for (size_t i = 0; i < options.size(); i++) {
        const Option& o = options[i][static_cast<size_t>(choice[i])];
        sum.bytes += o.bytes;
        sum.loss += o.loss;
    }
    return sum;
}

/// The least loss there is, by trying everything.
double exhaustive(const Options& options, int64_t budget) {
    std::vector<int32_t> choice(options.size());
    double best = std::numeric_limits<double>::infinity();
    while (true) {
        const Total t = total(options, choice);
        if (t.bytes <= budget) best = std::min(best, t.loss);
        size_t i = 0;
        while (i < choice.size() && ++choice[i] == static_cast<int32_t>(options[i].size())) choice[i++] = 0;
        if (i == choice.size()) return best;
    }
}

/// Tensors of different size and sensitivity, whose loss falls by four with each bit, as quantization's does.
Options random_options(std::mt19937& random, int n_tensors, int n_options) {
    std::uniform_real_distribution<double> weights(1000, 50000), gain(-3, 3), wobble(0.7, 1.4);
    Options options(static_cast<size_t>(n_tensors));
    for (auto& list : options) {
        const double size = weights(random), loss = std::exp(gain(random));
        for (int k = 0; k < n_options; k++)
            list.push_back(
                {static_cast<int64_t>(size * (2 + k) / 8) / 32 * 32, loss * std::pow(0.25, k) * wobble(random)});
    }
    return options;
}

}  // namespace

TEST_CASE("the solver keeps the budget and comes close to the best there is") {
    std::mt19937 random(1);
    double excess = 0;
    int n = 0;
    for (int trial = 0; trial < 60; trial++) {
        const Options options = random_options(random, 7, 4);
        const int64_t least = total(options, std::vector<int32_t>(7, 0)).bytes,
                      most = total(options, std::vector<int32_t>(7, 3)).bytes;
        for (const double share : {0.1, 0.4, 0.8}) {
            const int64_t budget = least + static_cast<int64_t>(share * static_cast<double>(most - least));
            const Total found = total(options, solve(options, budget));
            CHECK(found.bytes <= budget);
            const double best = exhaustive(options, budget);
            CHECK(found.loss >= best * (1 - 1e-9));
            CHECK(found.loss <= best * 1.25);
            excess += found.loss / best - 1;
            n++;
        }
    }
    CHECK(excess / n < 0.01);
}

TEST_CASE("with room for everything the solver takes the best of everything") {
    const Options options = {{{10, 3}, {20, 1}, {40, 0}}, {{10, 5}, {30, 2}}};
    CHECK(solve(options, 1000) == std::vector<int32_t>{2, 1});
}

TEST_CASE("an exact fit is found, and one byte less is not spent") {
    const Options options = {{{10, 3}, {20, 1}}, {{10, 5}, {30, 0}}};
    CHECK(solve(options, 40) == std::vector<int32_t>{0, 1});
    CHECK(solve(options, 39) == std::vector<int32_t>{1, 0});
    CHECK(solve(options, 50) == std::vector<int32_t>{1, 1});
}

TEST_CASE("a budget below the smallest file is refused") {
    const Options options = {{{10, 3}, {20, 1}}, {{10, 5}}};
    CHECK_THROWS_AS(solve(options, 19), UsageError);
    CHECK(solve(options, 20) == std::vector<int32_t>{0, 0});
}

}  // namespace ech0
