#include "prune/instead.h"

#include <doctest/doctest.h>

#include "support/some_chunks.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {

TEST_CASE("instead of pruning: the largest type whose file fits, with its KL divergence; the file itself if it fits") {
    const TemporaryFolder folder;
    TinyModel shape;
    shape.n_embd = 256, shape.n_head = 8, shape.n_embd_head = 32, shape.n_ff = 512;
    shape.type = GGML_TYPE_F16;
    write_tiny_model(shape, folder / "tiny.gguf");
    const Model model = read_model((folder / "tiny.gguf").string());
    const Source source(model);
    const Judge judge(model, source.as_f16(), random_chunks(model.n_vocab, 2, 32, 3), {32, 1, {}});

    const Instead same = quantize_instead(source, model.size_bytes, judge);
    CHECK(same.type == "as it is");
    CHECK(same.kl == 0);
    double before = 0;
    int64_t size = model.size_bytes;
    for (const char* type : {"Q8_0", "Q5_0", "Q4_0", "Q3_K", "Q2_K"}) {
        const Instead next = quantize_instead(source, size - 1, judge);
        CHECK(next.type == type);
        CHECK(next.size_bytes < size);
        CHECK(next.kl > before);
        before = next.kl, size = next.size_bytes;
    }
    CHECK(quantize_instead(source, size - 1, judge).type.empty());
}

TEST_CASE("rows that k-quants do not fit get the type of 32 weights a block that is next in size") {
    const TemporaryFolder folder;
    TinyModel shape;
    shape.n_layer = 6;
    shape.type = GGML_TYPE_F16;
    write_tiny_model(shape, folder / "tiny.gguf");
    const Model model = read_model((folder / "tiny.gguf").string());
    const Source source(model);
    const Judge judge(model, source.as_f16(), random_chunks(model.n_vocab, 1, 32, 3), {32, 1, {}});
    const Instead smallest = quantize_instead(source, model.size_bytes / 2, judge);
    CHECK(smallest.type == "Q5_0");
    CHECK(quantize_instead(source, smallest.size_bytes - 1, judge).type == "Q4_0");
    CHECK(quantize_instead(source, model.size_bytes / 10, judge).type.empty());
}

}  // namespace ech0
