#include "calibrate/gather.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "runtime/source.h"
#include "support/some_chunks.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
TEST_CASE("importance of the first layer's attention is the mean square of its normed embeddings") {
    const TemporaryFolder folder;
    TinyModel shape;
    shape.type = GGML_TYPE_F32;
    write_tiny_model(shape, folder / "tiny.gguf");
    const Model model = read_model((folder / "tiny.gguf").string());
    const Source source(model);
    const Chunks chunks = some_chunks(model.n_vocab);
    const Calibration calibration = gather_importance(model, source.as_stored(), chunks, 20, 1, {});

    // By the formula: x = embedding / rms(embedding) * norm weight, then the sum of squares over all tokens.
    const int64_t n = model.n_embd;
    std::vector<float> norm(static_cast<size_t>(n));
    const Tensor& norm_tensor = *model.find("blk.0.attn_norm.weight");
    std::memcpy(norm.data(), source.bytes(norm_tensor).data(), norm.size() * sizeof(float));
    std::vector<double> expected(static_cast<size_t>(n));
    double eps = 1e-5;
    if (const auto found = model.metadata.find("llama.attention.layer_norm_rms_epsilon"); found != model.metadata.end())
        eps = std::get<double>(found->second.scalar);
    const HiddenStates states = enter(model, source.as_stored(), chunks);
    for (size_t c = 0; c < states.size(); c++) {
        const std::span<const float> hidden = states[c];
        for (size_t t = 0; t < hidden.size(); t += static_cast<size_t>(n)) {
            double square = 0;
            for (int64_t j = 0; j < n; j++) square += std::pow(hidden[t + static_cast<size_t>(j)], 2);
            const double scale = 1 / std::sqrt(square / static_cast<double>(n) + eps);
            for (int64_t j = 0; j < n; j++)
                expected[static_cast<size_t>(j)] +=
                    std::pow(hidden[t + static_cast<size_t>(j)] * scale * norm[static_cast<size_t>(j)], 2);
        }
    }
    for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"}) {
        const Importance* importance = calibration.find(name);
        REQUIRE(importance != nullptr);
        CHECK(importance->count == std::vector<float>{60});
        for (int64_t j = 0; j < n; j++)
            CHECK(importance->sum_square[static_cast<size_t>(j)] ==
                  doctest::Approx(expected[static_cast<size_t>(j)]).epsilon(1e-4));
    }
    CHECK(calibration.n_tokens == 60);
}

TEST_CASE("every matrix gets statistics, a tied embedding as output, experts one by one") {
    const TemporaryFolder folder;
    TinyModel shape;
    shape.architecture = "qwen3moe";
    shape.n_expert = 4;
    shape.n_expert_used = 2;
    write_tiny_model(shape, folder / "moe.gguf");
    const Model model = read_model((folder / "moe.gguf").string());
    const Source source(model);
    const Calibration calibration = gather_importance(model, source.as_stored(), some_chunks(model.n_vocab), 20, 1, {});
    CHECK(calibration.find("token_embd.weight") != nullptr);
    const Importance* experts = calibration.find("blk.1.ffn_down_exps.weight");
    REQUIRE(experts != nullptr);
    CHECK(experts->n_mat == 4);
    float tokens = 0;
    for (const float count : experts->count) tokens += count;
    CHECK(tokens == 2 * 60);  // each token goes to two experts
}

}  // namespace ech0
