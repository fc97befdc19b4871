#include "compress/rounding.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "ech0/error.h"
#include "runtime/ggml_types.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

struct Fixture {
    TemporaryFolder folder;
    Model model;
    Fixture() {
        TinyModel shape;
        shape.n_embd = 256;
        shape.n_embd_head = 64;
        shape.n_ff = 768;
        shape.type = GGML_TYPE_F32;
        write_tiny_model(shape, folder / "tiny.gguf");
        model = read_model((folder / "tiny.gguf").string());
    }
};

Importance uneven(const Tensor& tensor) {
    Importance importance{tensor.name, tensor.n_cols(), 1, {}, {10}};
    for (int64_t j = 0; j < tensor.n_cols(); j++)
        importance.sum_square.push_back(static_cast<float>(10 + 10 * (j % 7)));
    return importance;
}

std::vector<std::byte> rounded(const Source& source, const Tensor& tensor, ggml_type type, const TensorMetric& metric,
                               int n_threads) {
    std::vector<std::byte> all;
    round_tensor(source, tensor, type, metric, {2}, n_threads,
                 [&](std::span<const std::byte> slab) { all.insert(all.end(), slab.begin(), slab.end()); });
    return all;
}

/// Inputs whose columns go together, as activations do: each is a mix of few sources and something of its own.
Moments mixed_moments(int64_t n_cols) {
    constexpr int64_t n_tokens = 600, n_sources = 24;
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    Matrix mix(n_sources, n_cols), x(n_tokens, n_cols);
    for (float& v : mix.reshaped()) v = normal(random);
    for (int64_t t = 0; t < n_tokens; t++) {
        Eigen::RowVectorXf sources(n_sources);
        for (float& v : sources) v = normal(random);
        x.row(t) = sources * mix / 4;
        for (int64_t j = 0; j < n_cols; j++) x(t, j) += normal(random);
    }
    Moments moments(n_cols, 1);
    moments.add(0, x.data(), n_tokens, 1);
    moments.finish();
    return moments;
}

TensorMetric metric_from(const Moments& moments) {
    return {column_ranges(moments.n_cols()), {make_metric(moments.of(0, 0), 0.2F)}};
}

/// Mean of e H e' by its definition, in double.
double error_by_definition(const Matrix& h, const std::vector<float>& w, const std::vector<float>& q) {
    const auto n = static_cast<size_t>(h.rows());
    double sum = 0;
    for (size_t row = 0; row < w.size(); row += n)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                sum += static_cast<double>(w[row + i] - q[row + i]) * static_cast<double>(w[row + j] - q[row + j]) *
                       static_cast<double>(h(static_cast<int64_t>(i), static_cast<int64_t>(j)));
    return sum;
}

constexpr ggml_type feedback_types[] = {
    GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K,   GGML_TYPE_Q2_0,  GGML_TYPE_Q4_0,
    GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q8_0, GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS};

}  // namespace

TEST_CASE("feedback loses far less on the layer's outputs than the engine's rounding of the same type") {
    const Fixture f;
    const Source source(f.model);
    const Tensor& tensor = *f.model.find("blk.0.ffn_down.weight");
    const Moments moments = mixed_moments(tensor.n_cols());
    const TensorMetric metric = metric_from(moments);
    const Importance importance = moments.importance(tensor.name);
    const std::vector<float> weights = column_weights(tensor, &importance);
    std::vector<float> w(static_cast<size_t>(tensor.n_elements)), back(w.size());
    source.rows(tensor, 0, tensor.n_rows(), w.data());
    for (const ggml_type type : feedback_types) {
        CAPTURE(type_label(type));
        std::vector<std::byte> engine(ggml_row_size(type, tensor.n_cols()) * static_cast<size_t>(tensor.n_rows()));
        round_rows(type, w.data(), tensor.n_rows(), tensor.n_cols(), weights.data(), engine.data());
        to_float(type, engine.data(), back.data(), tensor.n_elements);
        const double plain = error_by_definition(metric.metrics[0].h, w, back);
        to_float(type, rounded(source, tensor, type, metric, 1).data(), back.data(), tensor.n_elements);
        CHECK(error_by_definition(metric.metrics[0].h, w, back) < 0.7 * plain);
    }
}

TEST_CASE("the same bytes for any number of threads") {
    const Fixture f;
    const Source source(f.model);
    const Tensor& tensor = *f.model.find("blk.0.ffn_down.weight");
    const TensorMetric metric = metric_from(mixed_moments(tensor.n_cols()));
    for (const ggml_type type : {GGML_TYPE_Q3_K, GGML_TYPE_IQ2_XS, GGML_TYPE_Q4_0, GGML_TYPE_IQ4_XS}) {
        CAPTURE(type_label(type));
        CHECK(rounded(source, tensor, type, metric, 1) == rounded(source, tensor, type, metric, 3));
    }
}

TEST_CASE("without moments columns count by their importance, and no type is far from the engine's own rounding") {
    const Fixture f;
    const Source source(f.model);
    const Tensor& tensor = *f.model.find("blk.1.ffn_up.weight");
    const Importance importance = uneven(tensor);
    const std::vector<float> weights = column_weights(tensor, &importance);
    const TensorMetric metric = tensor_metric(tensor, nullptr, &importance, 0.2F);
    std::vector<float> w(static_cast<size_t>(tensor.n_elements)), back(w.size());
    source.rows(tensor, 0, tensor.n_rows(), w.data());
    const auto error = [&](const std::vector<std::byte>& bytes, ggml_type type) {
        to_float(type, bytes.data(), back.data(), tensor.n_elements);
        double sum = 0;
        for (size_t i = 0; i < w.size(); i++)
            sum += static_cast<double>(weights[i % static_cast<size_t>(tensor.n_cols())]) * std::pow(w[i] - back[i], 2);
        return sum;
    };
    for (const ggml_type type : feedback_types) {
        CAPTURE(type_label(type));
        std::vector<std::byte> engine(ggml_row_size(type, tensor.n_cols()) * static_cast<size_t>(tensor.n_rows()));
        round_rows(type, w.data(), tensor.n_rows(), tensor.n_cols(), weights.data(), engine.data());
        CHECK(error(rounded(source, tensor, type, metric, 2), type) < 1.03 * error(engine, type));
    }
}

TEST_CASE("the local error over all rows is e H e' by its definition, and falls with bits") {
    const Fixture f;
    const Source source(f.model);
    const Tensor& tensor = *f.model.find("blk.1.ffn_down.weight");  // 256 rows; the sample has 64
    const TensorMetric metric = metric_from(mixed_moments(tensor.n_cols()));
    std::vector<float> w(static_cast<size_t>(tensor.n_elements)), back(w.size());
    source.rows(tensor, 0, tensor.n_rows(), w.data());
    const std::vector<float> nothing(w.size());
    double before = 1;
    for (const ggml_type type :
         {GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_Q8_0}) {
        const std::vector<std::byte> bytes = rounded(source, tensor, type, metric, 1);
        to_float(type, bytes.data(), back.data(), tensor.n_elements);
        const double expected =
            error_by_definition(metric.metrics[0].h, w, back) / error_by_definition(metric.metrics[0].h, w, nothing);
        const double measured = local_error(source, tensor, type, metric, {2});
        CHECK(measured == doctest::Approx(expected).epsilon(0.1));
        CHECK(measured < before);
        before = measured;
    }
}

TEST_CASE("columns that nothing came through keep a small weight, experts keep their own") {
    Tensor tensor;
    tensor.name = "blk.0.ffn_down_exps.weight";
    tensor.shape = {4, 8, 2};
    tensor.n_elements = 64;
    const Importance importance{tensor.name, 4, 2, {0, 10, 20, 10, 1, 1, 1, 1}, {10, 0}};
    const std::vector<float> weights = column_weights(tensor, &importance);
    CHECK(weights[0] > 0);
    CHECK(weights[0] < 0.01F);
    CHECK(weights[2] == 2);
    CHECK(std::vector<float>(weights.begin() + 4, weights.end()) == std::vector<float>{1, 1, 1, 1});  // never chosen
}

TEST_CASE("statistics of another model are refused") {
    Tensor tensor;
    tensor.name = "blk.0.ffn_up.weight";
    tensor.shape = {64, 8};
    tensor.n_elements = 512;
    const Importance importance{tensor.name, 48, 1, std::vector<float>(48), {10}};
    CHECK_THROWS_AS(column_weights(tensor, &importance), UsageError);
}

}  // namespace ech0
