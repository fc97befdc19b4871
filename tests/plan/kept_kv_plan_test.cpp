#include "plan/kept_kv_plan.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/file.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "runtime/engine.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

/// A model whose hash is remembered, in a cache of its own.
struct Kept {
    TemporaryFolder folder;
    TemporaryVariable cache{"ECH0_CACHE", (folder / "cache").string()};
    Model model;
    std::string hash;

    Kept() {
        write_tiny_model({}, folder / "m.gguf");
        model = read_model((folder / "m.gguf").string());
        hash = cached_sha256_of_file(model.files.front());
    }

    KvPlan plan(int64_t n_ctx, int64_t n_judged = 100) const {
        KvPlan plan;
        plan.model_sha256 = hash;
        plan.text_sha256 = std::to_string(n_judged);
        plan.engine = engine_description();
        plan.n_ctx = n_ctx;
        plan.depths = {n_ctx / 2, n_ctx};
        plan.n_judged = n_judged;
        plan.most_kl = 4;
        const auto add = [&](const CacheTypes& types, const Estimate& kl, bool measured) {
            KvPair pair;
            pair.types = types;
            pair.kl_by_depth = {kl};
            pair.measured = measured;
            plan.pairs.push_back(pair);
        };
        add({"q4_0", "q4_0"}, {5, 4, 6}, true);
        add({"q8_0", "q4_0"}, {3, 2, 4}, true);
        add({"q8_0", "q8_0"}, {1, 0, 2}, true);
        add({}, {0, 0, 0}, true);
        add({"q4_0", "q8_0"}, {2, 1, 3}, false);
        plan.chosen = 1;
        return plan;
    }

    /// The files that plans are kept in.
    std::vector<std::filesystem::path> files() const {
        std::vector<std::filesystem::path> found;
        for (const auto& entry : std::filesystem::directory_iterator(cache_folder() / "kv-plans" / hash))
            found.push_back(entry.path());
        return found;
    }
};

}  // namespace

TEST_CASE("a kept plan has what was measured, and what may be taken by itself, closest first") {
    const Kept kept;
    CHECK_FALSE(kept_kv_plan(kept.model, 128));
    keep(kept.plan(128));
    const std::optional<KeptKvPlan> plan = kept_kv_plan(kept.model, 128);
    REQUIRE(plan);
    CHECK(plan->most_kl == 4);
    CHECK(*plan->chosen == CacheTypes{"q8_0", "q4_0"});
    REQUIRE(plan->loss_of({"q8_0", "q4_0"}) != nullptr);
    CHECK(plan->loss_of({"q8_0", "q4_0"})->mean == 3);
    CHECK(plan->loss_of({"q4_0", "q8_0"}) == nullptr);  // not run
    CHECK(plan->good() == std::vector<CacheTypes>{{}, {"q8_0", "q8_0"}, {"q8_0", "q4_0"}});
}

TEST_CASE("a plan holds for contexts up to its own: the shortest of those is taken, then the one that judged most") {
    const Kept kept;
    keep(kept.plan(256, 100));
    keep(kept.plan(128, 100));
    keep(kept.plan(128, 300));
    CHECK(kept_kv_plan(kept.model, 64)->n_ctx == 128);
    CHECK(kept_kv_plan(kept.model, 64)->n_judged == 300);
    CHECK(kept_kv_plan(kept.model, 129)->n_ctx == 256);
    CHECK_FALSE(kept_kv_plan(kept.model, 257));
    // The same text and context again takes the place of what was there.
    KvPlan again = kept.plan(256, 100);
    again.chosen.reset();
    keep(again);
    CHECK(kept.files().size() == 3);
    CHECK_FALSE(kept_kv_plan(kept.model, 200)->chosen);
}

TEST_CASE("a plan holds no deeper than it judged, whatever context its bytes are for") {
    const Kept kept;
    KvPlan shallow = kept.plan(256);
    shallow.depths = {64, 128};
    keep(shallow);
    CHECK(kept_kv_plan(kept.model, 128));
    CHECK_FALSE(kept_kv_plan(kept.model, 129));
}

TEST_CASE("plans of another engine, damaged ones and those of other files are passed over") {
    const Kept kept;
    KvPlan other = kept.plan(128);
    other.engine = "another";
    keep(other);
    CHECK_FALSE(kept_kv_plan(kept.model, 128));
    keep(kept.plan(128));
    REQUIRE(kept_kv_plan(kept.model, 128));
    for (const char* damage : {"", "{", "[]", R"({"engine": 3})"}) {
        for (const std::filesystem::path& file : kept.files()) write_file(file, damage);
        CAPTURE(damage);
        CHECK_FALSE(kept_kv_plan(kept.model, 128));
    }
    keep(kept.plan(128));
    TinyModel another;
    another.seed = 2;
    write_tiny_model(another, kept.folder / "n.gguf");
    const Model unknown = read_model((kept.folder / "n.gguf").string());
    CHECK_FALSE(kept_kv_plan(unknown, 128));  // its hash was never computed
    cached_sha256_of_file(unknown.files.front());
    CHECK_FALSE(kept_kv_plan(unknown, 128));
}
