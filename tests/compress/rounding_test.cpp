#include "compress/rounding.h"

#include <doctest/doctest.h>

#include <cmath>

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
        shape.n_ff = 512;
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

std::vector<std::byte> rounded(const Source& source, const Tensor& tensor, ggml_type type,
                               std::span<const float> weights, int n_threads) {
    std::vector<std::byte> all;
    round_tensor(source, tensor, type, weights, n_threads,
                 [&](std::span<const std::byte> slab) { all.insert(all.end(), slab.begin(), slab.end()); });
    return all;
}

}  // namespace

TEST_CASE("rounding gives the engine's own bytes, whatever the number of threads") {
    const Fixture f;
    const Source source(f.model);
    const Tensor& tensor = *f.model.find("blk.0.ffn_down.weight");
    const Importance importance = uneven(tensor);
    const std::vector<float> weights = column_weights(tensor, &importance);
    std::vector<float> floats(static_cast<size_t>(tensor.n_elements));
    source.rows(tensor, 0, tensor.n_rows(), floats.data());
    for (const ggml_type type : {GGML_TYPE_Q3_K, GGML_TYPE_IQ2_XS, GGML_TYPE_Q4_0, GGML_TYPE_IQ4_XS}) {
        CAPTURE(type_label(type));
        std::vector<std::byte> expected(ggml_row_size(type, tensor.n_cols()) * static_cast<size_t>(tensor.n_rows()));
        ggml_quantize_chunk(type, floats.data(), expected.data(), 0, tensor.n_rows(), tensor.n_cols(), weights.data());
        CHECK(rounded(source, tensor, type, weights, 1) == expected);
        CHECK(rounded(source, tensor, type, weights, 3) == expected);
    }
}

TEST_CASE("the local error over all rows is the weighted error by its definition, and falls with bits") {
    const Fixture f;
    const Source source(f.model);
    const Tensor& tensor = *f.model.find("blk.1.ffn_up.weight");
    const Importance importance = uneven(tensor);
    const std::vector<float> weights = column_weights(tensor, &importance);
    std::vector<float> w(static_cast<size_t>(tensor.n_elements)), back(w.size());
    source.rows(tensor, 0, tensor.n_rows(), w.data());
    double before = 1;
    for (const ggml_type type :
         {GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_Q8_0}) {
        const std::vector<std::byte> bytes = rounded(source, tensor, type, weights, 1);
        to_float(type, bytes.data(), back.data(), tensor.n_elements);
        double error = 0, power = 0;
        for (size_t i = 0; i < w.size(); i++) {
            const double weight = weights[i % static_cast<size_t>(tensor.n_cols())];
            error += weight * std::pow(w[i] - back[i], 2);
            power += weight * std::pow(w[i], 2);
        }
        const double measured = local_error(source, tensor, type, weights, tensor.n_rows());
        CHECK(measured == doctest::Approx(error / power).epsilon(1e-6));
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
