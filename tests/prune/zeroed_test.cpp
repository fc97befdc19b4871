#include "prune/zeroed.h"

#include <doctest/doctest.h>

#include "compress/judge.h"
#include "prune/pruned_file.h"
#include "prune/tensor_matrix.h"
#include "runtime/ggml_types.h"
#include "support/some_chunks.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {

TEST_CASE("zeros in place of what is cut put out what the cut file does, and cutting nothing changes nothing") {
    for (const char* architecture : {"llama", "qwen2"}) {
        CAPTURE(std::string(architecture));
        const TemporaryFolder folder;
        TinyModel shape;
        shape.architecture = architecture;
        shape.n_layer = 4;
        shape.type = GGML_TYPE_F16;
        write_tiny_model(shape, folder / "tiny.gguf");
        const Model model = read_model((folder / "tiny.gguf").string());
        const Source source(model);
        const Judge judge(model, source.as_f16(), random_chunks(model.n_vocab, 2, 32, 3), {32, 1, {}});
        CHECK(mean_of(judge.kl(model, zeroed(source, whole(model)))) == 0);

        Structure structure = whole(model);
        structure.layers[0].kv_heads = {1};
        structure.layers[1].channels.erase(structure.layers[1].channels.begin() + 16,
                                           structure.layers[1].channels.begin() + 64);
        structure.layers[3].kv_heads.clear();
        structure.layers.erase(structure.layers.begin() + 2);
        write_pruned(source, structure, {"deci", false, "prune"}, {}, folder / "cut.gguf");
        const Model cut = read_model((folder / "cut.gguf").string());
        const double of_file = mean_of(judge.kl(cut, Source(cut).as_stored()));
        CHECK(of_file > 1e-4);
        CHECK(mean_of(judge.kl(model, zeroed(source, structure))) == doctest::Approx(of_file).epsilon(0.01));
    }
}

TEST_CASE(
    "made up: what stays of an output matrix loses less than zeros do, what is gone is zero, the rest is as it was") {
    const TemporaryFolder folder;
    TinyModel shape;
    shape.n_layer = 3;
    shape.type = GGML_TYPE_F16;
    write_tiny_model(shape, folder / "tiny.gguf");
    const Model model = read_model((folder / "tiny.gguf").string());
    const Source source(model);
    MomentStore moments(folder / "moments");
    const Chunks chunks = random_chunks(model.n_vocab, 4, 64, 5);
    gather_moments(model, source.as_f16(), chunks, 64, 1, moments, {});
    Structure structure = whole(model);
    structure.layers[0].channels.erase(structure.layers[0].channels.begin() + 8,
                                       structure.layers[0].channels.begin() + 40);
    structure.layers.erase(structure.layers.begin() + 2);
    const Weights zeros = zeroed(source, structure), made = made_up(source, structure, moments);

    const auto values = [&](const Weights& weights, const Tensor& t) {
        std::vector<std::byte> scratch;
        const std::span<const std::byte> bytes = weights.bytes(t, scratch);
        Matrix w(t.n_rows(), t.n_cols());
        to_float(plain_type(t), bytes.data(), w.data(), w.size());
        return w;
    };
    const Tensor& down = *model.find("blk.0.ffn_down.weight");
    const Matrix w = values(source.as_f16(), down), h = whole_moment(moments.get(down.name));
    const auto lost = [&](const Matrix& a) {
        double sum = 0;
        for (int64_t r = 0; r < w.rows(); r++)
            for (int64_t i = 0; i < w.cols(); i++)
                for (int64_t j = 0; j < w.cols(); j++)
                    sum += static_cast<double>((w(r, i) - a(r, i)) * h(i, j) * (w(r, j) - a(r, j)));
        return sum;
    };
    const Matrix best = values(made, down);
    CHECK(best.middleCols(8, 32).isZero());
    CHECK(lost(best) < 0.9 * lost(values(zeros, down)));
    CHECK(lost(best) > 0);
    CHECK(values(made, *model.find("blk.2.attn_output.weight")).isZero());
    for (const char* other : {"blk.0.attn_output.weight", "blk.1.ffn_down.weight", "blk.0.ffn_up.weight"})
        CHECK(values(made, *model.find(other)) == values(source.as_f16(), *model.find(other)));
}

}  // namespace ech0
