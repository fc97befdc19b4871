#include "runtime/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr int64_t n_vocab = 200;

std::vector<float> random_logits(uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 3);
    std::vector<float> logits(n_vocab);
    for (float& logit : logits) logit = normal(random);
    return logits;
}

int32_t argmax(const std::vector<float>& logits) {
    int32_t best = 0;
    for (int32_t i = 1; i < static_cast<int32_t>(logits.size()); i++)
        if (logits[static_cast<size_t>(i)] > logits[static_cast<size_t>(best)]) best = i;
    return best;
}

// The tokens that remain under top-k, then top-p, then min-p (that order), by the definitions, in double.
std::set<int32_t> allowed_tokens(const std::vector<float>& logits, int64_t top_k, double top_p, double min_p) {
    std::vector<int32_t> order(logits.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<int32_t>(i);
    const auto logit = [&](int32_t i) { return static_cast<double>(logits[static_cast<size_t>(i)]); };
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logit(a) > logit(b); });
    if (top_k > 0) order.resize(static_cast<size_t>(top_k));
    double sum = 0;
    for (const int32_t i : order) sum += std::exp(logit(i) - logit(order[0]));
    std::set<int32_t> allowed;
    double mass = 0;
    for (const int32_t i : order) {
        const double relative = std::exp(logit(i) - logit(order[0]));
        if (mass < top_p && relative >= min_p) allowed.insert(i);
        mass += relative / sum;
    }
    return allowed;
}

SamplerOptions greedy() {
    SamplerOptions options;
    options.temp = 0;
    return options;
}

TEST_CASE("at temperature 0 the sampler takes the largest logit") {
    Sampler sampler(greedy(), n_vocab);
    for (uint32_t seed = 0; seed < 50; seed++) {
        const std::vector<float> logits = random_logits(seed);
        CHECK(sampler.sample(logits) == argmax(logits));
    }
}

TEST_CASE("the repeat penalty divides what is positive and multiplies what is negative, over the last tokens only") {
    SamplerOptions options = greedy();
    options.repeat_penalty = 1.7;
    options.repeat_last_n = 5;
    Sampler sampler(options, n_vocab);
    std::vector<int32_t> said = {3, 4};
    for (const int32_t token : said) sampler.accept(token);
    const std::vector<float> logits = random_logits(1);
    for (int step = 0; step < 40; step++) {
        std::vector<float> penalized = logits;
        const size_t n = std::min<size_t>(5, said.size());
        for (const int32_t token : std::set<int32_t>(said.end() - static_cast<std::ptrdiff_t>(n), said.end())) {
            float& logit = penalized[static_cast<size_t>(token)];
            logit = logit > 0 ? logit / 1.7F : logit * 1.7F;
        }
        said.push_back(sampler.sample(logits));
        CHECK(said.back() == argmax(penalized));
    }
}

TEST_CASE("top-k, top-p and min-p leave the tokens that their definitions leave, and all of them") {
    const std::vector<float> logits = random_logits(7);
    const struct {
        int64_t top_k;
        double top_p, min_p;
    } cases[] = {{5, 1, 0}, {0, 0.7, 0}, {0, 1, 0.2}, {40, 0.9, 0.05}};
    for (const auto& [top_k, top_p, min_p] : cases) {
        SamplerOptions options;
        options.temp = 3;  // flat, so that every allowed token comes up
        options.top_k = top_k;
        options.top_p = top_p;
        options.min_p = min_p;
        options.seed = 1;
        Sampler sampler(options, n_vocab);
        std::set<int32_t> drawn;
        for (int i = 0; i < 3000; i++) drawn.insert(sampler.sample(logits));
        CHECK(drawn == allowed_tokens(logits, top_k, top_p, min_p));
    }
}

TEST_CASE("tokens are drawn as often as softmax(logits / temperature) says") {
    std::vector<float> logits(n_vocab, -std::numeric_limits<float>::infinity());
    logits[10] = 1, logits[20] = 0, logits[30] = -1;
    SamplerOptions options{2.0, 0, 1, 0, 1, 0, 42};
    Sampler sampler(options, n_vocab);
    std::map<int32_t, int> counts;
    constexpr int n = 20'000;
    for (int i = 0; i < n; i++) counts[sampler.sample(logits)]++;
    const double sum = std::exp(0.5) + 1 + std::exp(-0.5);
    const std::map<int32_t, double> expected = {{10, std::exp(0.5) / sum}, {20, 1 / sum}, {30, std::exp(-0.5) / sum}};
    REQUIRE(counts.size() == 3);
    for (const auto& [token, p] : expected) {
        const double five_sigma = 5 * std::sqrt(p * (1 - p) / n);
        CHECK(std::abs(counts[token] / static_cast<double>(n) - p) < five_sigma);
    }
}

TEST_CASE("the same seed draws the same tokens, after a reset too, and another seed others") {
    SamplerOptions options;
    options.seed = 5;
    const auto draw = [](Sampler& sampler) {
        std::vector<int32_t> tokens;
        for (uint32_t i = 0; i < 30; i++) tokens.push_back(sampler.sample(random_logits(i)));
        return tokens;
    };
    Sampler one(options, n_vocab), two(options, n_vocab);
    const std::vector<int32_t> first = draw(one);
    CHECK(draw(two) == first);
    CHECK(draw(one) != first);
    one.reset();
    CHECK(draw(one) == first);
    options.seed = 6;
    Sampler other(options, n_vocab);
    CHECK(draw(other) != first);
    CHECK(other.seed() == 6);
}

TEST_CASE("a seed that was not asked for is told, and repeats the run") {
    Sampler any(SamplerOptions{}, n_vocab);
    SamplerOptions options;
    options.seed = any.seed();
    Sampler again(options, n_vocab);
    for (uint32_t i = 0; i < 30; i++) CHECK(any.sample(random_logits(i)) == again.sample(random_logits(i)));
}

TEST_CASE("suppressed tokens are never chosen") {
    const std::vector<float> logits = random_logits(3);
    const std::vector<int32_t> best = {argmax(logits)};
    Sampler sampler(greedy(), n_vocab, best);
    std::vector<float> without = logits;
    without[static_cast<size_t>(best[0])] = -1e9F;
    CHECK(sampler.sample(logits) == argmax(without));
}

TEST_CASE("an option out of its range is named with its value") {
    const auto refused = [](const SamplerOptions& options, const char* message) {
        CHECK_THROWS_WITH_AS(Sampler(options, n_vocab), message, UsageError);
    };
    SamplerOptions options;
    options.temp = -1;
    refused(options, "--temp is -1, wanted 0 to 100");
    options = {}, options.top_p = std::nan("");
    refused(options, "--top-p is nan, wanted 0 to 1");
    options = {}, options.min_p = 1.5;
    refused(options, "--min-p is 1.5, wanted 0 to 1");
    options = {}, options.top_k = -3;
    refused(options, "--top-k is -3, wanted 0 to 2147483647");
    options = {}, options.repeat_penalty = 0;
    refused(options, "--repeat-penalty is 0, wanted 0.01 to 100");
    options = {}, options.repeat_last_n = -1;
    refused(options, "--repeat-last-n is -1, wanted 0 to 16777216");
    options = {}, options.seed = int64_t{1} << 32;
    refused(options, "--seed is 4294967296, wanted -1 to 4294967294");
}

TEST_CASE("logits that are no numbers are an error, not a token") {
    Sampler sampler(SamplerOptions{}, n_vocab);
    std::vector<float> logits = random_logits(1);
    logits[17] = std::nanf("");
    CHECK_THROWS_WITH_AS(sampler.sample(logits), "the model's output for token 17 is nan: its weights are damaged",
                         EngineError);
    logits[17] = INFINITY;
    CHECK_THROWS_WITH_AS(sampler.sample(logits), "the model's output for token 17 is inf: its weights are damaged",
                         EngineError);
    logits.assign(n_vocab, -INFINITY);
    CHECK_THROWS_WITH_AS(sampler.sample(logits), "the model finds every token impossible: its weights are damaged",
                         EngineError);
    logits.resize(3);
    CHECK_THROWS_WITH_AS(sampler.sample(logits), "3 logits for a vocabulary of 200", UsageError);
}

}  // namespace
}  // namespace ech0
