#include "compress/polish.h"

#include <doctest/doctest.h>

#include <cstring>

#include "compress/bias_correction.h"
#include "compress/output_norm.h"
#include "runtime/ggml_types.h"
#include "support/some_chunks.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

constexpr int64_t n_ctx = 20;

struct Fixture {
    TemporaryFolder folder;
    Model model;
    Source source;
    Chunks chunks = some_chunks(model.n_vocab), others = random_chunks(model.n_vocab, 2, n_ctx, 7);
    Walk walk{{n_ctx, 1}, nullptr, {}, "walk", {}};

    explicit Fixture(const TinyModel& shape) : model(written(shape, folder / "tiny.gguf")), source(model) {}
    static Model written(const TinyModel& shape, const std::filesystem::path& file) {
        write_tiny_model(shape, file);
        return read_model(file.string());
    }
    std::vector<float> values(const std::string& name) const {
        const Tensor& t = *model.find(name);
        std::vector<float> v(static_cast<size_t>(t.n_elements));
        for (int64_t row = 0; row < t.n_rows(); row++) source.rows(t, row, 1, v.data() + row * t.n_cols());
        return v;
    }
};

/// What polish makes of the model whose last norm's weights are these times as large.
struct Polished {
    Polish polish;
    double kl_before = 0;
};

Polished polished_after(const Fixture& f, float factor) {
    std::vector<float> wrong = f.values("output_norm.weight");
    for (float& w : wrong) w *= factor;
    // As if rounding had done it: no small tensor, so polish works on the source's own weights.
    const SmallTensors damage = {{"output_norm.weight", wrong}};
    const Weights rounded = with_changed(f.source.as_stored(), damage);
    const Judge judge(f.model, f.source.as_stored(), f.others, {n_ctx, 1, {}});
    const std::vector<double> kl = judge.kl(f.model, rounded);
    return {polish({f.source, rounded, f.chunks, f.walk, judge, kl}), mean_of(kl)};
}

const Trial& trial_of(const Polish& polish, const std::string& what) {
    for (const Trial& trial : polish.tried)
        if (trial.lever.find(what) != std::string::npos) return trial;
    FAIL("not tried: " << what);
    return polish.tried.front();
}

/// qwen2 whose matrices of queries are all zeros in another type.
Weights without_queries(const Fixture& f, const std::vector<std::byte>& zeros) {
    Weights weights = f.source.as_stored();
    const auto is_query = [](const Tensor& t) { return t.name.ends_with("attn_q.weight"); };
    const Weights plain = weights;
    weights.type = [is_query, plain](const Tensor& t) { return is_query(t) ? GGML_TYPE_F16 : plain.type(t); };
    weights.bytes = [is_query, plain, &zeros](const Tensor& t, std::vector<std::byte>& s) {
        return is_query(t) ? std::span<const std::byte>(zeros) : plain.bytes(t, s);
    };
    return weights;
}

std::vector<std::byte> zeros_of(const Fixture& f) {
    const Tensor& q = *f.model.find("blk.0.attn_q.weight");
    return std::vector<std::byte>(static_cast<size_t>(q.n_elements) * sizeof(ggml_fp16_t));
}

}  // namespace

TEST_CASE("a last norm that has become too small is found, measured and kept") {
    const Fixture f({});
    const Polished p = polished_after(f, 0.8F);
    const Trial& norm = trial_of(p.polish, "last norm");
    CHECK(norm.kept);
    CHECK(p.polish.kl_divergence == norm.kl_divergence);
    CHECK(norm.kl_divergence < 0.2 * p.kl_before);
    CHECK(p.polish.changed.size() == 1);
    CHECK(p.polish.changed.contains("output_norm.weight"));
    CHECK(trial_of(p.polish, "biases").lever == "biases corrected in closed form: this model has nothing to change");
}

TEST_CASE("what does not measure better is not kept") {
    const Fixture f({});
    const Polished p = polished_after(f, 1);
    CHECK_FALSE(trial_of(p.polish, "last norm").kept);
    CHECK(p.polish.changed.empty());
    CHECK(p.polish.kl_divergence == p.kl_before);
}

TEST_CASE("a way that was fitted before is measured with what it gave then") {
    const Fixture f({});
    const Judge judge(f.model, f.source.as_stored(), f.others, {n_ctx, 1, {}});
    const Weights same = f.source.as_stored();
    std::vector<std::string> kept;
    PolishJob job{f.source, same, f.chunks, f.walk, judge, judge.kl(f.model, same)};
    job.known = [](const std::string& way) {
        return way.find("last norm") == std::string::npos ? std::nullopt : std::optional(SmallTensors{});
    };
    job.keep = [&](const std::string& way, const SmallTensors&) { kept.push_back(way); };
    CHECK(trial_of(polish(job), "last norm").lever.ends_with("nothing to change"));
    CHECK(kept == std::vector<std::string>{"biases corrected in closed form"});
}

TEST_CASE("a bias takes back what rounding moved on average, in the model as it is by then") {
    const Fixture f({.architecture = "qwen2", .n_layer = 2});
    const std::vector<std::byte> zeros = zeros_of(f);
    const Weights rounded = without_queries(f, zeros);
    const SmallTensors changed = corrected_biases(f.source, rounded, f.chunks, f.walk);
    REQUIRE(changed.size() == 2);  // of two layers; keys and values were not rounded
    // The matrix is gone, so the bias has all of its mean: b + W mean(x).
    std::vector<double> mean;
    ActivationSink sink;
    sink.wants = [](const std::string& name) { return name == "blk.0.attn_q.weight"; };
    int64_t n = 0;
    sink.take = [&](const std::string&, int64_t, const float* x, int64_t n_rows, int64_t n_cols) {
        mean.resize(static_cast<size_t>(n_cols));
        for (int64_t i = 0; i < n_rows * n_cols; i++) mean[static_cast<size_t>(i % n_cols)] += x[i];
        n += n_rows;
    };
    Walk walk = f.walk;
    walk.sink = &sink;
    walk_model(f.model, f.source.as_stored(), f.chunks, walk);
    const std::vector<float> w = f.values("blk.0.attn_q.weight"), b = f.values("blk.0.attn_q.bias");
    const std::vector<float>& now = changed.at("blk.0.attn_q.bias");
    for (size_t row = 0; row < b.size(); row++) {
        double wanted = b[row];
        for (size_t i = 0; i < mean.size(); i++) wanted += w[row * mean.size() + i] * mean[i] / static_cast<double>(n);
        CHECK(now[row] == doctest::Approx(wanted).epsilon(1e-3));
    }
}

TEST_CASE("what the output matrix reads, times that matrix, are the logits; else there is nothing to fit") {
    for (const bool tied : {true, false}) {
        const Fixture f({.tied = tied});
        Weights weights = f.source.as_stored();
        const HeadText text = read_head(f.model, f.source.as_stored(), weights, f.chunks, f.walk);
        CHECK(text.is_product);
        CHECK(text.inputs.size() == f.chunks.size());
        CHECK(text.log_p[0].size() == f.chunks[0].size() * static_cast<size_t>(f.model.n_vocab));
        if (tied) continue;  // its release does not say when it was run
        // An engine that made other logits of the same matrix: what is read after the run is not what was run.
        const std::string head = output_matrix(f.model).name;
        std::vector<std::byte> other;
        bool was_run = false;
        weights.release = [&](const Tensor& t) { was_run |= t.name == head; };
        weights.bytes = [&, plain = weights.bytes](const Tensor& t, std::vector<std::byte>& scratch) {
            const std::span<const std::byte> bytes = plain(t, scratch);
            if (t.name != head || !was_run) return bytes;
            other.assign(bytes.begin(), bytes.end());
            for (size_t at = 0; at + sizeof(float) <= other.size(); at += sizeof(float)) {
                float value = 0;
                std::memcpy(&value, other.data() + at, sizeof value);
                value *= 1.5F;
                std::memcpy(other.data() + at, &value, sizeof value);
            }
            return std::span<const std::byte>(other);
        };
        CHECK_FALSE(read_head(f.model, f.source.as_stored(), weights, f.chunks, f.walk).is_product);
    }
}

}  // namespace ech0
