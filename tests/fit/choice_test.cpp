#include "fit/choice.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace ech0;

namespace {

FitOption option(const std::string& preset, double kl, double tokens_per_s, int64_t bytes, bool fits = true) {
    FitOption o;
    o.model = std::string("m");  // g++ 12 warns of the plain literal
    o.preset = preset;
    o.name = preset;
    o.n_params = 8000000000;
    o.quality.kl_divergence = o.loss = kl;
    o.speed.tokens_per_s = {tokens_per_s, tokens_per_s, tokens_per_s};
    o.memory.weights_bytes = bytes;
    o.fits = fits;
    return o;
}

/// What is chosen, if it is the same in every order of the options; else all that were, one after another.
std::string chosen_in_any_order(const std::vector<FitOption>& options, Prefer prefer, double min_tokens_per_s) {
    std::vector<size_t> order(options.size());
    std::iota(order.begin(), order.end(), 0);
    std::set<std::string> names;
    do {
        std::vector<FitOption> shuffled;
        for (const size_t i : order) shuffled.push_back(options[i]);
        names.insert(shuffled[*choose(shuffled, prefer, min_tokens_per_s)].name);
    } while (std::next_permutation(order.begin(), order.end()));
    return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

TEST_CASE("the front holds what nothing beats in quality, speed and memory at once") {
    std::vector<FitOption> options = {option("a", 0.1, 10, 100), option("b", 0.2, 9, 110), option("c", 0.01, 5, 200),
                                      option("d", 0.001, 4, 300, false)};
    mark_front(options);
    CHECK(options[0].on_front);
    CHECK_FALSE(options[1].on_front);  // worse than a in everything
    CHECK(options[2].on_front);
    CHECK_FALSE(options[3].on_front);  // does not fit
}

TEST_CASE("a rounded cache beats no plain one, and the same file gets the cache that was asked for first") {
    std::vector<FitOption> options = {option("a", 0.1, 10, 100), option("a", 0.1, 11, 90)};
    options[1].kv_rank = 1;
    mark_front(options);
    CHECK(options[0].on_front);
    CHECK(choose(options, Prefer::quality, 0) == 0);
}

TEST_CASE("quality takes the least loss, balanced the least at reading speed, speed the fastest that is still close") {
    const std::vector<FitOption> options = {option("small", 0.5, 40, 100), option("middle", 0.08, 12, 200),
                                            option("large", 0.01, 3, 400)};
    CHECK(choose(options, Prefer::quality, 0) == 2);
    CHECK(choose(options, Prefer::balanced, 0) == 1);
    CHECK(choose(options, Prefer::speed, 0) == 1);
    CHECK(choose(options, Prefer::quality, 20) == 0);
    CHECK_FALSE(choose(options, Prefer::quality, 100));
}

TEST_CASE("among losses that can't be told apart the faster is taken") {
    const std::vector<FitOption> options = {option("a", 0.010, 10, 100), option("b", 0.012, 20, 100)};
    CHECK(choose(options, Prefer::quality, 0) == 1);
}

TEST_CASE("steps that can't be told apart do not add up: the choice is as near as that to the least loss of all") {
    // Each is within 0.005 of its neighbours, and faster the more it loses.
    const std::vector<FitOption> options = {option("a", 0.000, 10, 100), option("b", 0.004, 20, 100),
                                            option("c", 0.008, 30, 100), option("d", 0.012, 40, 100)};
    CHECK(chosen_in_any_order(options, Prefer::quality, 0) == "b");
    CHECK(chosen_in_any_order(options, Prefer::balanced, 0) == "b");
    CHECK(chosen_in_any_order(options, Prefer::quality, 15) == "c");
}

TEST_CASE("equals are told apart by name, and a file has the cache that was asked for first, in any order") {
    std::vector<FitOption> options = {option("a", 0.000, 10, 300), option("b", 0.004, 20, 200),
                                      option("c", 0.020, 30, 100), option("d", 0.004, 20, 200),
                                      option("b", 0.004, 25, 190)};
    options[4].kv_rank = 1;
    options[4].name = "b with a rounded cache";
    CHECK(chosen_in_any_order(options, Prefer::quality, 0) == "b");
    CHECK(chosen_in_any_order(options, Prefer::balanced, 0) == "b");
    CHECK(chosen_in_any_order(options, Prefer::speed, 0) == "c");
    CHECK(chosen_in_any_order(options, Prefer::quality, 22) == "b with a rounded cache");
}

TEST_CASE("models of one family are compared by expected perplexity, of different ones by size alone, and it says so") {
    std::vector<ComparedModel> models = {{"qwen2.5:32b", "qwen2.5", 32763876352},
                                         {"qwen2.5:14b", "qwen2.5", 14770033664}};
    const Levels known = compare_models(models);
    CHECK(known.words.find("5.52") != std::string::npos);
    CHECK(known.of[1] - known.of[0] == doctest::Approx(0.0792).epsilon(0.02));  // ln(5.9737 / 5.5191)
    models[1] = {"nobody:14b", "nobody", 14770033664};
    const Levels guessed = compare_models(models);
    CHECK(guessed.words.find("guess") != std::string::npos);
    CHECK(guessed.of[0] < guessed.of[1]);
    models.pop_back();
    CHECK(compare_models(models).of == std::vector<double>{0});
}
