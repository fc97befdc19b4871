#include "runtime/footprint.h"

#include <doctest/doctest.h>

#include "ech0/error.h"
#include "model/blueprint.h"
#include "support/shape.h"

using namespace ech0;

namespace {

struct Probed : Shape {
    using Shape::Shape;
    Footprint at(int64_t n_ctx, const std::string& type = "f16") const {
        return FootprintProbe(model).of({.n_ctx = n_ctx, .n_outputs = 1, .type_k = type, .type_v = type});
    }
};

}  // namespace

TEST_CASE("the cache is heads x width x layers x tokens x two, in its type") {
    const Probed qwen("qwen2.5:32b");
    CHECK(qwen.at(4096).kv_bytes == 2LL * 2 * 8 * 128 * 64 * 4096);
    CHECK(qwen.at(4096, "q8_0").kv_bytes == 2LL * 8 * 128 * 64 * 4096 / 32 * 34);
    CHECK(qwen.at(4096, "q4_0").kv_bytes == 2LL * 8 * 128 * 64 * 4096 / 32 * 18);
}

TEST_CASE("layers with a sliding window keep the window and a batch, not the whole context") {
    const Probed gemma("gemma3:27b");
    const int64_t per_token_and_layer = 2LL * 2 * 16 * 128;
    const int64_t n_global = 62 / 6, n_local = 62 - n_global;
    const int64_t all_global = per_token_and_layer * 62 * 32768;
    const Footprint found = gemma.at(32768);
    // global layers hold 32768 tokens, the others 1024 + a batch of 512, padded to 256
    CHECK(found.kv_bytes == per_token_and_layer * (n_global * 32768 + n_local * 1536));
    CHECK(found.kv_bytes < all_global / 4);
}

TEST_CASE("every blueprint's shapes are ones that the engine can plan a context for") {
    const TemporaryFolder folder;
    for (const Blueprint& blueprint : blueprints()) {
        CAPTURE(blueprint.name);
        write_blueprint(blueprint, folder / "b.gguf");
        const Model model = read_model((folder / "b.gguf").string());
        const Footprint footprint = FootprintProbe(model).of({.n_ctx = 4096, .n_outputs = 1});
        CHECK(footprint.kv_bytes > 0);
        CHECK(footprint.compute_bytes > 0);
        CHECK(footprint.compute_bytes < 2'000'000'000);
        std::filesystem::remove(folder / "b.gguf");
    }
}

TEST_CASE("a cache type that the engine can't use is refused with its words") {
    const Probed qwen("qwen2.5:0.5b");
    CHECK_THROWS_AS(qwen.at(4096, "nonsense"), UsageError);
}
