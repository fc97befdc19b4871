#include "report/kv_plan.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

namespace {

KvPair pair_of(const CacheTypes& types, int64_t bytes, const std::vector<Estimate>& kl) {
    KvPair pair;
    pair.types = types;
    pair.kv_bytes = bytes / 2;
    pair.predicted_bytes = bytes;
    pair.kl_by_depth = kl;
    pair.measured = pair.on_front = true;
    pair.top1_by_depth = {1, 0.875};
    return pair;
}

KvPlan some_plan() {
    KvPlan plan;
    plan.model = "a b.gguf";
    plan.text = "embedded";
    plan.n_ctx = 4096;
    plan.n_texts = 2;
    plan.n_judged = 256;
    plan.depths = {2048, 4096};
    plan.most_kl = 0.005;
    plan.pairs = {pair_of({}, 100 << 20, {{0, 0, 0}, {0, 0, 0}}),
                  pair_of({"q8_0", "q8_0"}, 60 << 20, {{0.001, 0.0005, 0.002}, {0.003, 0.002, 0.004}}),
                  pair_of({"q8_0", "q5_1"}, 50 << 20, {{0.001, 0.0005, 0.002}, {0.004, 0.002, 0.006}}),
                  pair_of({"q4_0", "q4_0"}, 40 << 20, {{0.1, 0, 0.2}, {0.2, 0, 0.3}})};
    plan.pairs[1].measured_kv_bytes = 31 << 20;
    plan.pairs[1].measured_bytes = 61 << 20;
    plan.pairs[3].measured = plan.pairs[3].on_front = false;
    plan.pairs[3].top1_by_depth.clear();
    plan.chosen = 1;
    plan.refused = {{"iq4_nl", "no such blocks"}};
    return plan;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a kv plan says what to take, what it loses at most, the command, and what more text may tell") {
    const std::string text = kv_plan_text(some_plan(), false);
    CHECK(has(text, "Take q8_0: 60.0 MiB instead of 100.0 MiB, and at every depth at most 0.004000 nats"));
    CHECK(has(text, "ech0 chat 'a b.gguf' --ctx 4096 --kv q8_0\n"));
    CHECK(has(text,
              "q8_0/q5_1 is within it too by its mean (0.004000), but its interval reaches 0.006000: with more text "
              "(--texts 8)"));
    CHECK(has(text, "3 of 4 pairs were run"));
    CHECK(has(text, "1 pairs are not possible: iq4_nl: no such blocks"));
    CHECK_FALSE(has(text, "sum of parts"));
    CHECK(has(kv_plan_text(some_plan(), true), "sum of parts"));
    KvPlan none = some_plan();
    none.chosen.reset();
    none.most_kl = 0.0001;
    CHECK(has(kv_plan_text(none, false), "No: no pair smaller than f16 stays within 0.000100 nats per token"));
}

TEST_CASE("a kv plan is what it was when its JSON is read back") {
    const Json json = kv_plan_json(some_plan());
    CHECK(json["pairs"][1]["high"] == 0.004);
    CHECK(json["chosen"] == "q8_0");
    const KvPlan plan = kv_plan_from_json(json);
    CHECK(kv_plan_json(plan) == json);
    CHECK(kv_plan_text(plan, true) == kv_plan_text(some_plan(), true));
    Json none = json;
    none["chosen"] = nullptr;
    CHECK_FALSE(kv_plan_from_json(none).chosen);
}

TEST_CASE("a kv plan whose parts disagree is refused") {
    Json json = kv_plan_json(some_plan());
    json["pairs"][1]["low_by_depth"].erase(0);
    CHECK_THROWS_WITH_AS(kv_plan_from_json(json), doctest::Contains("kl_by_depth has 2 entries, low_by_depth 1"),
                         FormatError);
    json = kv_plan_json(some_plan());
    json["pairs"].erase(0);
    CHECK_THROWS_WITH_AS(kv_plan_from_json(json), doctest::Contains("pairs has no f16"), FormatError);
}
