#include "prune/pruned_file.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "compress/sensitivity.h"
#include "ech0/error.h"
#include "runtime/walk.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

TinyModel shape_of(const char* architecture) {
    TinyModel shape;
    shape.architecture = architecture;
    shape.n_layer = 3;
    shape.n_embd = 128;
    shape.n_head = 8;
    shape.n_head_kv = 4;
    shape.n_embd_head = 16;
    shape.n_ff = 160;
    shape.type = GGML_TYPE_F16;
    return shape;
}

struct Fixture {
    TemporaryFolder folder;
    Model model;
    Chunks chunks;
    explicit Fixture(const char* architecture) {
        write_tiny_model(shape_of(architecture), folder / "tiny.gguf");
        model = read_model((folder / "tiny.gguf").string());
        chunks = {{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}, {2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5, 9, 0, 4, 5}};
    }
    Model pruned(const Structure& structure, const PrunedForm& form = {"deci", false, "prune"}) const {
        const Source source(model);
        write_pruned(source, structure, form, {}, folder / "pruned.gguf");
        return read_model((folder / "pruned.gguf").string());
    }
};

std::vector<float> logits_of(const Model& model, const Weights& weights, const Chunks& chunks) {
    std::vector<float> all;
    Walk walk{{16, 1}, nullptr, {}, "", {}};
    walk.on_logits = [&](int64_t, std::span<const float> l) { all.insert(all.end(), l.begin(), l.end()); };
    walk_model(model, weights, chunks, walk);
    return all;
}

double kl_between(const Model& a, const Model& b, const Chunks& chunks) {
    const Source one(a), two(b);
    double sum = 0;
    const std::vector<double> kl =
        kl_per_position(logits_of(a, one.as_stored(), chunks), logits_of(b, two.as_stored(), chunks), a.n_vocab, 1);
    for (const double x : kl) sum += x;
    return sum / static_cast<double>(kl.size());
}

}  // namespace

TEST_CASE("a model from which nothing was cut is the same model as deci, from llama and from qwen2") {
    for (const char* architecture : {"llama", "qwen2", "deci"}) {
        CAPTURE(std::string(architecture));
        const Fixture f(architecture);
        const Model pruned = f.pruned(whole(f.model));
        CHECK(pruned.architecture == "deci");
        CHECK(pruned.n_params == f.model.n_params);
        CHECK(kl_between(f.model, pruned, f.chunks) < 1e-6);
    }
}

TEST_CASE("layers that are all alike are written as llama, and compute the same") {
    for (const char* architecture : {"llama", "qwen2", "deci"}) {
        CAPTURE(std::string(architecture));
        const Fixture f(architecture);
        Structure structure = whole(f.model);
        CHECK(architecture_of(structure) == "llama");
        const Model same = f.pruned(structure, {"llama", true, "prune"});
        CHECK(same.architecture == "llama");
        CHECK(kl_between(f.model, same, f.chunks) < 1e-6);
        for (KeptLayer& l : structure.layers) l.kv_heads = {0, 2}, l.channels.resize(96);
        CHECK(architecture_of(structure) == "llama");
        const double as_llama = kl_between(f.model, f.pruned(structure, {"llama", false, "prune"}), f.chunks);
        CHECK(as_llama == doctest::Approx(kl_between(f.model, f.pruned(structure), f.chunks)).epsilon(1e-5));
        structure.layers[1].kv_heads = {1};
        CHECK(architecture_of(structure) == "deci");
    }
}

TEST_CASE("biases of outputs are written as zeros, and change nothing") {
    const Fixture f("qwen2");
    Structure structure = whole(f.model);
    structure.layers[1].kv_heads.clear();
    const Model with = f.pruned(structure, {"deci", true, "prune"});
    CHECK(with.find("blk.0.attn_output.bias") != nullptr);
    CHECK(with.find("blk.1.attn_output.bias") == nullptr);
    CHECK(with.find("blk.1.ffn_down.bias") != nullptr);
    const double kl = kl_between(f.model, with, f.chunks);
    CHECK(kl == doctest::Approx(kl_between(f.model, f.pruned(structure), f.chunks)).epsilon(1e-6));
}

TEST_CASE("cutting channels and heads leaves what a model with zeros in their place puts out") {
    for (const char* architecture : {"llama", "qwen2"}) {
        CAPTURE(std::string(architecture));
        const Fixture f(architecture);
        Structure structure = whole(f.model);
        structure.layers[1].kv_heads = {0, 2};
        structure.layers[2].kv_heads = {1, 2, 3};
        structure.layers[0].channels.erase(structure.layers[0].channels.begin(),
                                           structure.layers[0].channels.begin() + 32);
        const Model pruned = f.pruned(structure);
        CHECK(pruned.n_params == n_params(f.model, structure));
        CHECK(pruned.n_params < f.model.n_params);
        CHECK(pruned.n_head == std::vector<int64_t>{8, 4, 6});
        CHECK(pruned.n_ff == std::vector<int64_t>{128, 160, 160});

        const Source source(f.model);
        Weights zeroed = source.as_stored();
        zeroed.bytes = [&](const Tensor& t, std::vector<std::byte>& scratch) -> std::span<const std::byte> {
            const bool heads1 = t.name == "blk.1.attn_output.weight", heads2 = t.name == "blk.2.attn_output.weight";
            if (!heads1 && !heads2 && t.name != "blk.0.ffn_down.weight") return source.bytes(t);
            const auto bytes = source.bytes(t);
            scratch.assign(bytes.begin(), bytes.end());
            auto* half = reinterpret_cast<ggml_fp16_t*>(scratch.data());
            for (int64_t r = 0; r < t.n_rows(); r++)
                for (int64_t j = 0; j < t.n_cols(); j++) {
                    const int64_t kv = j / 32;  // two query heads of 16 read one KV head
                    const bool gone = heads1 ? kv == 1 || kv == 3 : heads2 ? kv == 0 : j < 32;
                    if (gone) half[r * t.n_cols() + j] = ggml_fp32_to_fp16(0);
                }
            return scratch;
        };
        const Source cut(pruned);
        const std::vector<double> kl = kl_per_position(
            logits_of(f.model, zeroed, f.chunks), logits_of(pruned, cut.as_stored(), f.chunks), f.model.n_vocab, 1);
        for (const double x : kl) CHECK(x < 1e-5);
    }
}

TEST_CASE("a layer may lose its attention, or go altogether") {
    const Fixture f("qwen2");
    Structure structure = whole(f.model);
    structure.layers[2].kv_heads.clear();
    structure.layers.erase(structure.layers.begin());
    const Model pruned = f.pruned(structure);
    CHECK(pruned.n_layer == 2);
    CHECK(pruned.n_params == n_params(f.model, structure));
    CHECK(pruned.find("blk.1.attn_q.weight") == nullptr);
    CHECK(std::isfinite(kl_between(f.model, pruned, f.chunks)));
}

TEST_CASE("what the engine would run wrongly is refused") {
    const Fixture f("llama");
    Structure no_first_heads = whole(f.model), no_channels = whole(f.model);
    no_first_heads.layers[0].kv_heads.clear();
    no_channels.layers[1].channels.clear();
    CHECK_THROWS_AS(f.pruned(no_first_heads), UsageError);
    CHECK_THROWS_AS(f.pruned(no_channels), UsageError);
    CHECK_THROWS_AS(f.pruned({}), UsageError);
}

TEST_CASE("what deci cannot hold is refused by name") {
    const TemporaryFolder folder;
    for (const char* architecture : {"gemma3", "qwen3", "qwen3moe"}) {
        TinyModel shape = shape_of(architecture);
        if (shape.architecture == "qwen3moe") shape.n_expert = 4, shape.n_expert_used = 2;
        write_tiny_model(shape, folder / "tiny.gguf");
        CHECK_THROWS_AS(check_prunable(read_model((folder / "tiny.gguf").string())), UsageError);
    }
}

}  // namespace ech0
