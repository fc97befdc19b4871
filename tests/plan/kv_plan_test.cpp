#include "plan/kv_plan.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

namespace {

KvPair pair_of(const CacheTypes& types, int64_t bytes, std::vector<Estimate> kl, bool measured = true) {
    KvPair pair;
    pair.types = types;
    pair.predicted_bytes = bytes;
    pair.kl_by_depth = std::move(kl);
    pair.measured = measured;
    return pair;
}

KvPair plain(int64_t bytes) { return pair_of({}, bytes, {{0, 0, 0}, {0, 0, 0}}); }

}  // namespace

TEST_CASE("a pair is predicted to lose what its keys and its values lose alone, interval ends too") {
    const KvPair keys = pair_of({"q4_0", "f16"}, 70, {{0.5, 0.25, 1}, {2, 1, 4}});
    const KvPair values = pair_of({"f16", "q8_0"}, 80, {{0.25, 0.125, 0.5}, {1, 0.5, 2}});
    const KvPair pair = predicted_pair(keys, values);
    CHECK(pair.types == CacheTypes{"q4_0", "q8_0"});
    CHECK_FALSE(pair.measured);
    REQUIRE(pair.kl_by_depth.size() == 2);
    CHECK(pair.kl_by_depth[0].mean == 0.75);
    CHECK(pair.kl_by_depth[0].low == 0.375);
    CHECK(pair.kl_by_depth[1].high == 6);
    CHECK_THROWS_WITH_AS(predicted_pair(keys, pair_of({"f16", "q8_0"}, 80, {{1, 1, 1}})),
                         "a pair from 2 and 1 depths: wanted the same", UsageError);
}

TEST_CASE("the worst of a pair is its largest mean, and the largest upper end wherever that is") {
    const Estimate worst = pair_of({}, 1, {{2, 1, 9}, {3, 2, 4}, {1, 0, 5}}).worst();
    CHECK(worst.mean == 3);
    CHECK(worst.low == 2);
    CHECK(worst.high == 9);
}

TEST_CASE("the front has what no other is both smaller and closer than") {
    std::vector<KvPair> pairs = {plain(100),
                                 pair_of({"q8_0", "q8_0"}, 60, {{2, 1, 3}}),
                                 pair_of({"f16", "q8_0"}, 80, {{2, 1, 3}}),  // as close, larger
                                 pair_of({"q4_0", "q4_0"}, 40, {{5, 4, 6}}),
                                 pair_of({"q4_0", "q8_0"}, 50, {{6, 4, 7}}),   // larger and farther than q4_0
                                 pair_of({"q5_0", "q5_0"}, 40, {{5, 4, 6}})};  // equal to q4_0: both stay
    mark_front(pairs);
    std::vector<bool> front;
    for (const KvPair& pair : pairs) front.push_back(pair.on_front);
    CHECK(front == std::vector<bool>{true, true, false, true, false, true});
}

TEST_CASE("the smallest pair is chosen whose intervals end within what is allowed at every depth") {
    std::vector<KvPair> pairs = {plain(100), pair_of({"f16", "q8_0"}, 80, {{1, 0, 2}, {1, 0, 2}}),
                                 pair_of({"q8_0", "q8_0"}, 60, {{1, 0, 2}, {2, 1, 4}}),
                                 pair_of({"q5_1", "q5_1"}, 50, {{3, 2, 4}, {5, 4, 6}})};
    CHECK(choose_pair(pairs, 2) == 1);
    CHECK(choose_pair(pairs, 3.9) == 1);  // the second depth of q8_0 may lose 4
    CHECK(choose_pair(pairs, 4) == 2);
    CHECK(choose_pair(pairs, 6) == 3);
    CHECK_FALSE(choose_pair(pairs, 1.9));
    CHECK_FALSE(choose_pair({plain(100)}, 10));
    // What was not run is not chosen, nor what is no smaller than f16; of equals the closest.
    pairs[3].measured = false;
    CHECK(choose_pair(pairs, 6) == 2);
    pairs[2].predicted_bytes = 100;
    CHECK(choose_pair(pairs, 6) == 1);
    pairs.push_back(pair_of({"q8_0", "f16"}, 80, {{0.5, 0, 1}}));
    CHECK(choose_pair(pairs, 6) == 4);
}

TEST_CASE("a smaller pair whose mean is within what is allowed, and its upper end is not, is named as undecided") {
    const std::vector<KvPair> pairs = {plain(100), pair_of({"f16", "q8_0"}, 80, {{1, 0, 2}}),
                                       pair_of({"q8_0", "q8_0"}, 60, {{2, 1, 4}}),
                                       pair_of({"q5_1", "q5_1"}, 50, {{5, 4, 6}})};
    CHECK(undecided_pair(pairs, 1, 3) == 2);
    CHECK_FALSE(undecided_pair(pairs, 2, 4));
    CHECK(undecided_pair(pairs, std::nullopt, 1.5) == 1);
    CHECK_FALSE(undecided_pair(pairs, std::nullopt, 0.5));
}
