#include "kv/plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "ech0/error.h"
#include "kv/loss.h"
#include "runtime/divergence.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

EvaluationText some_text() {
    EvaluationText text{"test", "5a17", ""};
    for (int i = 0; i < 400; ++i) text.content += "line " + std::to_string(i * 7919 % 1000) + " of the text, so on\n";
    return text;
}

/// Heads of 32, which blocks of 32 divide.
TinyModel wide_heads() {
    TinyModel tiny;
    tiny.n_embd_head = 32;
    tiny.n_ctx_train = 512;
    return tiny;
}

Model write(const TemporaryFolder& folder, const TinyModel& tiny) {
    write_tiny_model(tiny, folder / "m.gguf");
    return read_model((folder / "m.gguf").string());
}

KvPlanOptions small_plan() {
    KvPlanOptions options;
    options.n_ctx = 256;
    options.n_texts = 2;
    options.n_scored = 32;
    options.n_threads = 1;
    return options;
}

std::string message_of(const Model& model, const KvPlanOptions& options) {
    try {
        make_kv_plan(model, some_text(), options);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a plan measures keys alone, values alone and the whole front, and predicts the rest as sums") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    KvPlanOptions options = small_plan();
    options.types_k = {"q8_0", "q4_0"};
    options.types_v = {"q8_0", "q4_0"};
    options.most_kl = 100;
    const KvPlan plan = make_kv_plan(write(folder, wide_heads()), some_text(), options);
    REQUIRE(plan.pairs.size() == 9);
    CHECK(plan.depths == std::vector<int64_t>{64, 128, 256});
    CHECK(plan.n_judged == 64);
    for (const KvPair& pair : plan.pairs) {
        CAPTURE(cache_name(pair.types));
        const bool single = pair.types.k == "f16" || pair.types.v == "f16";
        CHECK((pair.measured || !(single || pair.on_front)));
        REQUIRE(pair.kl_by_depth.size() == 3);
        if (pair.types == CacheTypes{}) {
            CHECK(pair.worst().mean == 0);
        } else {
            CHECK(pair.worst().mean > 0);
        }
        if (pair.measured) continue;
        const auto part = [&](const CacheTypes& types) {
            return std::find_if(plan.pairs.begin(), plan.pairs.end(), [&](const KvPair& p) { return p.types == types; })
                ->kl_by_depth;
        };
        for (size_t d = 0; d < 3; d++)
            CHECK(pair.kl_by_depth[d].mean ==
                  doctest::Approx(part({pair.types.k, "f16"})[d].mean + part({"f16", pair.types.v})[d].mean));
    }
    REQUIRE(plan.chosen);
    CHECK(plan.pairs[*plan.chosen].measured);
    CHECK(plan.pairs[*plan.chosen].predicted_bytes < plan.pairs.front().predicted_bytes);
}

TEST_CASE("the KL divergence of a cache is what two sessions give that read the text one after the other") {
    const TemporaryFolder folder;
    const Model model = write(folder, wide_heads());
    const EvaluationText text = some_text();
    Session plain(model, {.n_ctx = 128, .n_threads = 1});
    Session rounded(model, {.n_ctx = 128, .n_threads = 1, .type_k = "q4_0", .type_v = "q8_0"});
    const Chunks texts = evaluation_chunks(plain, text, 128, 2);
    double sum = 0;
    for (const std::vector<int32_t>& tokens : texts) {
        plain.truncate(0), rounded.truncate(0);
        // The same cuts, since another number of tokens at a time may round otherwise.
        const std::span<const int32_t> all = tokens;
        plain.decode(all.first(95), 95), rounded.decode(all.first(95), 95);
        const auto x = plain.decode(all.subspan(95, 32), 0), y = rounded.decode(all.subspan(95, 32), 0);
        const int64_t n = plain.n_vocab();
        for (int64_t i = 0; i < 32; i++)
            sum += compare_plainly(x.subspan(i * n, n), y.subspan(i * n, n), tokens[96 + i]).kl_divergence;
    }
    const std::vector<CacheTypes> types = {{"q4_0", "q8_0"}};
    const std::vector<KvLoss> losses = measure_kv_losses(plain, texts, types, {{128}, 32, 1});
    REQUIRE(losses.size() == 1);
    CHECK(losses[0].kl_by_depth[0].mean == doctest::Approx(sum / 64).epsilon(1e-5));
    CHECK(losses[0].kl_by_depth[0].mean > 0);
    CHECK(losses[0].kl_by_depth[0].high > losses[0].kl_by_depth[0].mean);
}

TEST_CASE("an f16 cache loses nothing beside itself") {
    const TemporaryFolder folder;
    const Model model = write(folder, wide_heads());
    const Session weights(model, {.n_ctx = 32, .n_threads = 1});
    const Chunks texts = evaluation_chunks(weights, some_text(), 96, 2);
    const std::vector<CacheTypes> types = {{"f16", "f16"}};
    const KvLoss loss = measure_kv_losses(weights, texts, types, {{48, 96}, 16, 1}).front();
    for (size_t d = 0; d < 2; d++) {
        CHECK(loss.kl_by_depth[d].mean == 0);
        CHECK(loss.top1_by_depth[d].mean == 1);
    }
}

TEST_CASE("types that don't divide a head are refused by name, and a plan needs one that does") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Model narrow = write(folder, TinyModel{});  // heads of 16
    KvPlanOptions options = small_plan();
    options.n_scored = 16;
    CHECK(contains(message_of(narrow, options),
                   "m.gguf: there is nothing to choose from beside f16: values of 16 numbers a head, and q8_0 takes "
                   "blocks of 32"));
}

TEST_CASE("a plan names what it can't do: types, depths, contexts, texts") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Model model = write(folder, wide_heads());
    KvPlanOptions options = small_plan();
    options.types_k = {"q4_k"};
    CHECK(contains(message_of(model, options), "a cache of type 'q4_k': there are f16, q8_0"));
    options = small_plan();
    options.depths = {512};
    CHECK(contains(message_of(model, options), "a depth of 512 tokens in a context of 256"));
    options.depths = {32, 256};
    CHECK(contains(message_of(model, options), "a depth of 32 tokens has no room for 32 to judge"));
    options.depths = {64, 80};
    CHECK(contains(message_of(model, options), "a depth of 80 tokens has no room for 32 to judge after the 64"));
    options = small_plan();
    options.n_scored = 8;
    CHECK(contains(message_of(model, options), "with 8 tokens to judge: wanted one depth and 16 tokens at least"));
    options = small_plan();
    options.n_ctx = 1024;
    CHECK(contains(message_of(model, options), "trained on 512"));
    options = small_plan();
    options.types_k = options.types_v = {"f16"};
    CHECK(contains(message_of(model, options), "nothing to choose from beside f16"));
    const Session weights(model, {.n_ctx = 32, .n_threads = 1});
    const Chunks texts = {std::vector<int32_t>(64, 1)};
    const std::vector<CacheTypes> types = {{"q8_0", "q8_0"}};
    CHECK_THROWS_WITH_AS(measure_kv_losses(weights, texts, types, {{128}, 16, 1}),
                         "a text of 64 tokens, wanted 128 for the deepest place", UsageError);
}
