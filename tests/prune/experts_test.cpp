#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "ech0/error.h"
#include "prune/expert_file.h"
#include "prune/expert_scores.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

constexpr int32_t silent = 2;  // an expert that puts out nothing

struct Mixture {
    TemporaryFolder folder;
    Model model;
    Chunks chunks = {{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3},
                     {2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5, 9, 0, 4, 5}};

    Mixture() {
        TinyModel tiny;
        tiny.architecture = "qwen3moe";
        tiny.n_expert = 4;
        tiny.n_expert_used = 2;
        tiny.type = GGML_TYPE_F16;
        write_tiny_model(tiny, file());
        model = read_model(file().string());
        std::fstream bytes(file(), std::ios::in | std::ios::out | std::ios::binary);
        for (const Tensor& t : model.tensors) {
            if (t.name.find("ffn_down_exps") == std::string::npos) continue;
            const std::string zeros(static_cast<size_t>(t.size_bytes / 4), '\0');
            bytes.seekp(t.offset_bytes + silent * t.size_bytes / 4);
            bytes.write(zeros.data(), static_cast<std::streamsize>(zeros.size()));
        }
    }
    std::filesystem::path file() const { return folder / "moe.gguf"; }
};

}  // namespace

TEST_CASE("an expert that puts out nothing is worth nothing, the others something") {
    const Mixture m;
    const Source source(m.model);
    const ExpertScores scores = expert_scores(source, m.chunks, UnitScore::measured, 16, 1, {});
    REQUIRE(scores.size() == 2);
    for (const auto& of_layer : scores) {
        CHECK(of_layer[silent] == 0);
        CHECK(std::count(of_layer.begin(), of_layer.end(), 0.0) == 1);
    }
    CHECK(expert_scores(source, m.chunks, UnitScore::magnitude, 16, 1, {})[0][silent] > 0);
    CHECK_THROWS_AS(expert_scores(source, m.chunks, UnitScore::flap, 16, 1, {}), UsageError);
}

TEST_CASE("experts that stay are byte for byte the source's, in every layer its own ones, and the engine runs them") {
    const Mixture m;
    const Source source(m.model);
    const KeptExperts kept = {{0, 3}, {1, 3}};
    write_experts(source, kept, "prune", m.folder / "out.gguf");
    const Model made = read_model((m.folder / "out.gguf").string());
    const Source some(made);
    CHECK(made.n_expert == 2);
    CHECK(made.architecture == "qwen3moe");
    CHECK(m.model.n_params - made.n_params == 2 * params_per_expert(m.model));
    for (const Tensor& t : m.model.tensors) {
        CAPTURE(t.name);
        const auto before = source.bytes(t), after = some.bytes(*made.find(t.name));
        if (!is_per_expert(m.model, t)) {
            CHECK(std::equal(before.begin(), before.end(), after.begin(), after.end()));
            continue;
        }
        const size_t each = before.size() / 4;
        for (size_t i = 0; i < 2; i++) {
            const auto from = static_cast<size_t>(kept[static_cast<size_t>(layer_of(t))][i]);
            const auto was = before.subspan(from * each, each), is = after.subspan(i * each, each);
            CHECK(std::equal(was.begin(), was.end(), is.begin()));
        }
    }
    int64_t n_logits = 0;
    Walk walk{{16, 1}, nullptr, {}, "", {}};
    walk.on_logits = [&](int64_t, std::span<const float> l) { n_logits += static_cast<int64_t>(l.size()); };
    walk_model(made, some.as_stored(), m.chunks, walk);
    CHECK(n_logits == 32 * made.n_vocab);
}

TEST_CASE("fewer experts than each token goes to are refused, and a model without experts has none to lose") {
    const Mixture m;
    CHECK_THROWS_WITH_AS(write_experts(Source(m.model), {{0}, {1}}, "prune", m.folder / "out.gguf"),
                         "1 experts would be left, each token goes to 2", UsageError);
    write_tiny_model({}, m.folder / "dense.gguf");
    CHECK_THROWS_AS(check_experts(read_model((m.folder / "dense.gguf").string())), UsageError);
}

}  // namespace ech0
