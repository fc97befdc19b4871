#include "fit/run_plan.h"

#include <doctest/doctest.h>

#include "base/sha256.h"
#include "ech0/error.h"
#include "fit/fit.h"
#include "plan/kept_kv_plan.h"
#include "runtime/engine.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

/// A model with heads that blocks of 32 divide, in a cache folder of its own.
struct Planned {
    TemporaryFolder folder;
    TemporaryVariable cache{"ECH0_CACHE", (folder / "cache").string()};
    Model model;

    Planned() {
        TinyModel tiny;
        tiny.n_embd_head = 32;
        tiny.n_ctx_train = 8192;
        write_tiny_model(tiny, folder / "m.gguf");
        model = read_model((folder / "m.gguf").string());
    }

    void keep_plan(int64_t n_ctx, std::optional<size_t> chosen) const {
        KvPlan plan;
        plan.model_sha256 = cached_sha256_of_file(model.files.front());
        plan.engine = engine_description();
        plan.n_ctx = n_ctx;
        plan.depths = {n_ctx};
        plan.most_kl = 0.005;
        const auto add = [&](const CacheTypes& types, const Estimate& kl) {
            KvPair pair;
            pair.types = types;
            pair.kl_by_depth = {kl};
            pair.measured = true;
            plan.pairs.push_back(pair);
        };
        add({}, {0, 0, 0});
        add({"q8_0", "q5_1"}, {0.0031, 0.003, 0.0042});
        add({"f16", "q8_0"}, {0.0011, 0.001, 0.0012});
        add({"q8_0", "q8_0"}, {0.006, 0.005, 0.007});
        plan.chosen = chosen;
        keep(plan);
    }

    int64_t bytes_of(const std::string& kv_type, int64_t n_ctx) const {
        return run({.n_ctx = n_ctx, .kv_type = kv_type, .n_threads = 1}, int64_t{1} << 40).memory.total_bytes();
    }

    RunPlan run(const RunWish& wish, int64_t budget_bytes) const {
        Machine machine;
        machine.backend = "CPU";
        machine.model_budget_bytes = budget_bytes;
        return plan_run(model, machine, wish);
    }
};

}  // namespace

TEST_CASE("without a kept plan the cache is f16, q8_0 where only that fits, or what was asked for") {
    const Planned planned;
    const int64_t plain = planned.bytes_of("f16", 4096);
    CHECK(planned.run({.n_ctx = 4096, .n_threads = 1}, plain).kv_type == "f16");
    const RunPlan smaller = planned.run({.n_ctx = 4096, .n_threads = 1}, plain - 1);
    CHECK(smaller.kv_type == "q8_0");
    CHECK(smaller.kv_why == "");
    const RunPlan asked = planned.run({.n_ctx = 4096, .kv_type = "q8_0/q4_0", .n_threads = 1}, plain);
    CHECK(asked.kv_type == "q8_0/q4_0");
    CHECK(asked.memory.kv_bytes <
          planned.run({.n_ctx = 4096, .kv_type = "q8_0", .n_threads = 1}, plain).memory.kv_bytes);
    CHECK_THROWS_AS(planned.run({.n_ctx = 4096, .kv_type = "q8_0/", .n_threads = 1}, plain), UsageError);
}

TEST_CASE("with a kept plan the cache is f16, or the closest that fits of those close enough, and it says why") {
    const Planned planned;
    planned.keep_plan(4096, 1);
    const RunWish wish{.n_ctx = 4096, .n_threads = 1};
    const int64_t plain = planned.bytes_of("f16", 4096), values = planned.bytes_of("f16/q8_0", 4096);
    CHECK(planned.run(wish, plain).kv_type == "f16");
    CHECK(planned.run(wish, plain).kv_why == "");
    CHECK(planned.run(wish, plain - 1).kv_type == "f16/q8_0");
    const RunPlan both = planned.run(wish, values - 1);
    CHECK(both.kv_type == "q8_0/q5_1");
    CHECK(both.fits);
    CHECK(both.kv_why ==
          "a q8_0/q5_1 cache: f16 does not fit, and this is the closest that does by 'ech0 kv plan', 0.0031 nats per "
          "token "
          "from it (at most 0.0042)");
    // q8_0 alone would lose more than was allowed.
    const RunPlan none = planned.run(wish, planned.bytes_of("q8_0/q5_1", 4096) - 1);
    CHECK_FALSE(none.fits);
    CHECK(
        none.kv_why ==
        "no cache fits that 'ech0 kv plan' measured to be within 0.005 nats per token of f16; --kv TYPE takes another");
    CHECK(planned.run({.n_ctx = 4096, .kv_type = "q8_0", .n_threads = 1}, 1).kv_why == "");
    // A longer context than it was made for is none of its business.
    const RunPlan longer = planned.run({.n_ctx = 8192, .n_threads = 1}, planned.bytes_of("f16", 8192) - 1);
    CHECK(longer.kv_type == "q8_0");
}

TEST_CASE("fit considers what a kept plan chose, and counts what caches lose") {
    const Planned planned;
    using Types = std::vector<std::string>;
    CHECK(usual_kv_types({planned.model}, 2048) == Types{"f16", "q8_0"});
    planned.keep_plan(4096, std::nullopt);
    CHECK(usual_kv_types({planned.model}, 2048) == Types{"f16", "q8_0"});
    planned.keep_plan(4096, 1);
    CHECK(usual_kv_types({planned.model}, 2048) == Types{"f16", "q8_0", "q8_0/q5_1"});
    CHECK(usual_kv_types({planned.model}, 8192) == Types{"f16", "q8_0"});
    CHECK(usual_kv_types({planned.model, planned.model}, 2048) == Types{"f16", "q8_0"});
    FitOptions options;
    options.models = {planned.model};
    options.machine = find_machine("m4-24gb");
    options.n_ctx = 2048;
    options.kv_types = {"f16", "q8_0/q5_1", "q4_0"};
    for (const FitOption& option : fit(options).options) {
        CAPTURE(option.name);
        REQUIRE(option.kv_loss.has_value() == (option.kv_type != "q4_0"));
        const double lost = option.kv_loss ? option.kv_loss->mean : 0;
        CHECK(lost == (option.kv_type == "q8_0/q5_1" ? 0.0031 : 0));
        CHECK(option.loss == doctest::Approx(option.quality.kl_divergence + lost));
        CHECK((option.kv_grade == Grade::measured) == (option.preset == "as it is"));
    }
}
