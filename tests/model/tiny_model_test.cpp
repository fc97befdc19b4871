// The other tests stand on these models: that llama.cpp runs them is tested first.

#include "support/tiny_model.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"

using namespace ech0;

TEST_CASE("llama.cpp loads and runs every tiny model") {
    const TemporaryFolder folder;
    const auto runs = [&](const TinyModel& model) {
        write_tiny_model(model, folder / "m.gguf");
        return run({ECH0_ENGINE_PROBE, (folder / "m.gguf").string()}).status == 0;
    };
    for (const char* architecture : {"llama", "deci", "qwen2", "qwen3", "gemma3"}) {
        CAPTURE(architecture);
        CHECK(runs({.architecture = architecture}));
        CHECK(runs({.architecture = architecture, .n_layer = 7, .tied = false, .type = GGML_TYPE_F16}));
    }
    CHECK(runs({.architecture = "llama", .n_expert = 4, .n_expert_used = 2}));
    CHECK(runs({.architecture = "qwen3moe", .n_expert = 4, .n_expert_used = 2}));
    CHECK(runs({.architecture = "llama", .type = GGML_TYPE_Q8_0}));
    CHECK(runs({.architecture = "deci",
                .n_layer = 3,
                .n_head_of_layer = {4, 0, 2},
                .n_head_kv_of_layer = {2, 0, 1},
                .n_ff_of_layer = {96, 64, 32}}));
}

TEST_CASE("the same tiny model has the same bytes and another seed has others") {
    const TemporaryFolder folder;
    write_tiny_model({.seed = 7}, folder / "a.gguf");
    write_tiny_model({.seed = 7}, folder / "b.gguf");
    write_tiny_model({.seed = 8}, folder / "c.gguf");
    CHECK(read_file(folder / "a.gguf") == read_file(folder / "b.gguf"));
    CHECK(read_file(folder / "a.gguf") != read_file(folder / "c.gguf"));
}
