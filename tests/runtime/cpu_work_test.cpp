#include "runtime/cpu_work.h"

#include <doctest/doctest.h>

#include "runtime/ggml_types.h"
#include "support/shape.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

Model tiny_with(const TemporaryFolder& folder, ggml_type type, int64_t n_expert) {
    TinyModel tiny;
    tiny.type = type;
    tiny.n_embd = 64, tiny.n_ff = 8192;
    if (n_expert > 0)
        tiny.architecture = "qwen3moe", tiny.n_expert = n_expert, tiny.n_expert_used = 2, tiny.n_layer = 1;
    write_tiny_model(tiny, folder / "m.gguf");
    return read_model((folder / "m.gguf").string());
}

// The widest input of a product, converted to what its weights are multiplied with; a line of cache for each thread.
int64_t converted(ggml_type type, int64_t n_cols, int64_t n_batch, int n_threads) {
    return static_cast<int64_t>(ggml_row_size(type, n_cols * n_batch)) + 64 * n_threads;
}

}  // namespace

TEST_CASE("the processor's scratch is the widest input, in the type that weights are multiplied with") {
    const TemporaryFolder folder;
    CHECK(cpu_work_bytes(tiny_with(folder, GGML_TYPE_F16, 0), 512, 1) == converted(GGML_TYPE_F16, 8192, 512, 1));
    CHECK(cpu_work_bytes(tiny_with(folder, GGML_TYPE_Q8_0, 0), 256, 2) == converted(GGML_TYPE_Q8_0, 8192, 256, 2));
}

TEST_CASE("experts that are used each have an input of their own") {
    const TemporaryFolder folder;
    const Model model = tiny_with(folder, GGML_TYPE_F16, 4);
    CHECK(cpu_work_bytes(model, 64, 1) > converted(GGML_TYPE_F16, 2 * 8192, 64, 1));
    CHECK(cpu_work_bytes(model, 64, 1) < 1.1 * static_cast<double>(converted(GGML_TYPE_F16, 2 * 8192, 64, 1)));
}
