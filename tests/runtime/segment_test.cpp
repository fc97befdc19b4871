#include "runtime/segment.h"

#include <doctest/doctest.h>

#include <cmath>

#include "ech0/session.h"
#include "runtime/source.h"
#include "runtime/walk.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

std::vector<int32_t> some_tokens(int64_t n, int64_t n_vocab) {
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < n; i++) tokens.push_back(static_cast<int32_t>((7 + 37 * i) % n_vocab));
    return tokens;
}

/// Logits by a walk through the segments, and by the engine's own whole model.
struct BothWays {
    std::vector<float> segments, whole;
    size_t n_segments = 0;
};

BothWays run_both(const TinyModel& shape, int64_t n_tokens) {
    const TemporaryFolder folder;
    const auto file = folder.path() / "tiny.gguf";
    write_tiny_model(shape, file);
    const Model model = read_model(file.string());
    const std::vector<int32_t> tokens = some_tokens(n_tokens, model.n_vocab);
    BothWays result;
    result.n_segments = split_into_segments(model).size();
    const Source source(model);
    Walk walk{{n_tokens, 1}, nullptr, {}, "", {}};
    walk.on_logits = [&](int64_t, std::span<const float> logits) {
        result.segments.assign(logits.begin(), logits.end());
    };
    walk_model(model, source.as_stored(), {tokens}, walk);
    SessionOptions options;
    options.n_ctx = options.n_batch = n_tokens;
    options.n_threads = 1;
    Session session(model, options);
    const std::span<const float> logits = session.decode(tokens, 0);
    result.whole.assign(logits.begin(), logits.end());
    return result;
}

double relative_error(const BothWays& both) {
    REQUIRE(both.segments.size() == both.whole.size());
    double error = 0, power = 0;
    for (size_t i = 0; i < both.whole.size(); i++) {
        error += std::pow(both.segments[i] - both.whole[i], 2);
        power += std::pow(both.whole[i], 2);
    }
    REQUIRE(power > 0);
    return std::sqrt(error / power);
}

TinyModel shape_of(const char* architecture, int64_t n_layer, ggml_type type, bool tied) {
    TinyModel shape;
    shape.architecture = architecture;
    shape.n_layer = n_layer;
    shape.type = type;
    shape.tied = tied;
    return shape;
}

}  // namespace

TEST_CASE("a chain of single layers gives the logits of the whole model") {
    for (const char* architecture : {"llama", "qwen2", "qwen3"})
        for (const bool tied : {true, false}) {
            CAPTURE(architecture);
            CAPTURE(tied);
            const BothWays both = run_both(shape_of(architecture, 3, GGML_TYPE_F32, tied), 40);
            CHECK(both.n_segments == 3);
            CHECK(relative_error(both) == 0);
        }
}

TEST_CASE("segments of half-precision weights are exact too") {
    CHECK(relative_error(run_both(shape_of("qwen2", 3, GGML_TYPE_F16, true), 40)) == 0);
}

TEST_CASE("segments keep each Gemma layer's window, whatever its index becomes") {
    // Layers 0-4 and 6 see 16 tokens back, layer 5 all 60: a phase error would change every logit.
    const BothWays both = run_both(shape_of("gemma3", 8, GGML_TYPE_F32, true), 60);
    CHECK(both.n_segments == 8);
    CHECK(relative_error(both) == 0);
}

TEST_CASE("segments of a mixture of experts") {
    TinyModel shape = shape_of("qwen3moe", 2, GGML_TYPE_F32, true);
    shape.n_expert = 4;
    shape.n_expert_used = 2;
    CHECK(relative_error(run_both(shape, 24)) == 0);
}

TEST_CASE("segments of deci keep per-layer head counts and widths") {
    TinyModel shape = shape_of("deci", 3, GGML_TYPE_F32, true);
    shape.n_head_of_layer = {4, 2, 4};
    shape.n_head_kv_of_layer = {2, 1, 2};
    shape.n_ff_of_layer = {96, 64, 32};
    CHECK(relative_error(run_both(shape, 24)) == 0);
}

TEST_CASE("a segment's weight can be replaced and put back") {
    const TemporaryFolder folder;
    const auto file = folder.path() / "tiny.gguf";
    write_tiny_model(shape_of("llama", 2, GGML_TYPE_F32, true), file);
    const Model model = read_model(file.string());
    const Source source(model);
    const Weights weights = source.as_stored();
    Segment segment(model, {0, 0, false, false}, weights, {16, 1});
    const HiddenStates states = enter(model, weights, {some_tokens(16, model.n_vocab)});
    const std::span<const float> hidden = states[0];
    const auto run = [&] {
        const auto out = segment.run({{}, hidden});
        return std::vector<float>(out.begin(), out.end());
    };
    const std::vector<float> before = run();
    const Tensor& down = *model.find("blk.0.ffn_down.weight");
    segment.set(down.name, std::vector<std::byte>(static_cast<size_t>(down.size_bytes)));
    CHECK(run() != before);
    segment.set(down.name, source.bytes(down));
    CHECK(run() == before);
    CHECK_THROWS(segment.set("blk.1.ffn_down.weight", source.bytes(down)));
    CHECK_THROWS(segment.set(down.name, source.bytes(down).subspan(4)));
}

TEST_CASE("a segment refuses what the engine would abort on") {
    const TemporaryFolder folder;
    const auto file = folder.path() / "tiny.gguf";
    write_tiny_model(shape_of("llama", 2, GGML_TYPE_F32, true), file);
    const Model model = read_model(file.string());
    const Source source(model);
    Segment segment(model, {0, 0, false, false}, source.as_stored(), {16, 1});
    CHECK_THROWS(segment.run({{}, {}}));
    CHECK_THROWS(segment.run({{}, std::vector<float>(17 * 64)}));
    CHECK_THROWS(segment.run({{}, std::vector<float>(65)}));
}

}  // namespace ech0
