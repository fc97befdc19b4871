#include "kv/cache_bytes.h"

#include <doctest/doctest.h>

#include "ech0/error.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

Model wide_heads(const TemporaryFolder& folder, int64_t n_ctx) {
    TinyModel tiny;
    tiny.n_embd_head = 32;
    tiny.n_layer = 4;
    tiny.n_ctx_train = n_ctx;
    write_tiny_model(tiny, folder / "m.gguf");
    return read_model((folder / "m.gguf").string());
}

}  // namespace

TEST_CASE("on a card a context is the engine's buffers alone") {
    const TemporaryFolder folder;
    const Model model = wide_heads(folder, 512);
    const FootprintProbe probe(model);
    const Footprint planned = probe.of({.n_ctx = 256, .n_outputs = 1, .n_threads = 1});
    const ContextBytes bytes = predict_context_bytes(probe, model, 256, {}, 1, false);
    CHECK(bytes.kv_bytes == planned.kv_bytes);
    CHECK(bytes.compute_bytes == planned.compute_bytes + planned.output_bytes);
    CHECK(bytes.books_bytes == 0);
}

TEST_CASE("what a child prints is read back, and what it failed of is said") {
    const ContextBytes bytes = read_context_bytes(context_bytes_text({1, 2, 3}));
    CHECK(bytes.kv_bytes == 1);
    CHECK(bytes.compute_bytes == 2);
    CHECK(bytes.books_bytes == 3);
    CHECK(bytes.total_bytes() == 6);
    CHECK_THROWS_WITH_AS(read_context_bytes("1 2"), "bytes of a context: '1 2': wanted three numbers", FormatError);
    const TemporaryFolder folder;
    const Model model = wide_heads(folder, 512);
    std::filesystem::remove(folder / "m.gguf");
    CHECK_THROWS_WITH_AS(context_bytes_alone(run_ech0_path(), model, 128, {"q8_0", "f16"}, 1),
                         doctest::Contains("measure the memory of a q8_0/f16 cache: "), EngineError);
}
