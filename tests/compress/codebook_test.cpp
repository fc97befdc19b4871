#include "compress/codebook.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "compress/rounding.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

constexpr int64_t n = 768, n_rows = 16;

Matrix normal_matrix(int64_t rows, int64_t cols, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    return Matrix::NullaryExpr(rows, cols, [&] { return normal(random); });
}

/// Inputs mixed at random from sources of falling strength: each goes with many others.
Metric correlated_metric() {
    Matrix mixing = normal_matrix(n, n, 3);
    for (int64_t i = 0; i < n; i++) mixing.row(i) /= 1 + static_cast<float>(i) / 500;
    Matrix moment = mixing.transpose() * mixing;
    moment.diagonal() *= 1.01F;
    return make_metric(moment, 0);
}

struct Rounded {
    std::vector<std::byte> bytes;
    Matrix means;
};

Rounded round_by_engine(ggml_type type, const Metric& metric, const Matrix& w) {
    Rounded r{std::vector<std::byte>(ggml_row_size(type, n) * static_cast<size_t>(w.rows())), Matrix(w.rows(), n)};
    round_rows(type, w.data(), w.rows(), n, metric.d.data(), r.bytes.data());
    to_float(type, r.bytes.data(), r.means.data(), w.size());
    return r;
}

Rounded round_with_feedback(ggml_type type, const Metric& metric, const Matrix& w, int sweeps) {
    Rounded r{std::vector<std::byte>(ggml_row_size(type, n) * static_cast<size_t>(w.rows())), Matrix(w.rows(), n)};
    FeedbackOptions options;
    options.sweeps = sweeps;
    const size_t row_bytes = ggml_row_size(type, n);
    round_tile(type, metric, {w.data(), n, w.rows(), r.bytes.data(), row_bytes}, options);
    to_float(type, r.bytes.data(), r.means.data(), r.means.size());
    return r;
}

struct Expected {
    ggml_type type;
    double forward, refined;  // error as a share of that of the engine's rounding; measured, and 5 % more
};

constexpr Expected expected[] = {
    {GGML_TYPE_IQ1_S, 0.56, 0.465},  {GGML_TYPE_IQ1_M, 0.555, 0.445}, {GGML_TYPE_IQ2_XXS, 0.555, 0.46},
    {GGML_TYPE_IQ2_XS, 0.535, 0.45}, {GGML_TYPE_IQ2_S, 0.545, 0.455}, {GGML_TYPE_IQ3_XXS, 0.55, 0.45},
    {GGML_TYPE_IQ3_S, 0.49, 0.415},
};

// The engine prepares for its search of the other codebooks for seconds, once per process.
constexpr ggml_type quick_to_prepare[] = {GGML_TYPE_IQ2_XXS, GGML_TYPE_IQ3_XXS, GGML_TYPE_IQ3_S};

}  // namespace

TEST_CASE("feedback inside a codebook's block takes away most of the error of the layer's outputs") {
    const Metric metric = correlated_metric();
    const Matrix w = normal_matrix(n_rows, n, 4) * 0.02F;
    REQUIRE_FALSE(metric.fell_back);
    for (const Expected& e : expected) {
        CAPTURE(type_label(e.type));
        const Rounded theirs = round_by_engine(e.type, metric, w);
        const double error = quadratic_error(metric.h, w.data(), theirs.means.data(), n_rows);
        for (const int sweeps : {0, 2}) {
            CAPTURE(sweeps);
            const Rounded mine = round_with_feedback(e.type, metric, w, sweeps);
            const double share = quadratic_error(metric.h, w.data(), mine.means.data(), n_rows) / error;
            CHECK(share < (sweeps == 0 ? e.forward : e.refined));
            for (int64_t r = 0; r < n_rows; r++)
                CHECK(quadratic_error(metric.h, w.row(r).data(), mine.means.row(r).data(), 1) <
                      quadratic_error(metric.h, w.row(r).data(), theirs.means.row(r).data(), 1));
            Matrix decoded(n_rows, n);
            to_float(e.type, mine.bytes.data(), decoded.data(), n_rows * n);
            CHECK(decoded == mine.means);
            CHECK(ggml_validate_row_data(e.type, mine.bytes.data(), mine.bytes.size()));
        }
    }
}

TEST_CASE("no row of a codebook type has more error than the engine's own rounding of it") {
    // Rows that are hard in different ways: ordinary, with an outlier, constant, all zero, with an empty block.
    Matrix w = normal_matrix(n_rows, n, 5) * 0.02F;
    for (int64_t r = 3; r < 6; r++) w(r, 100 * r) = 3;
    w.row(6).setConstant(0.01F);
    w.row(7).setZero();
    w.row(8).segment(256, 256).setZero();
    const Metric metric = correlated_metric();
    for (const Metric& m : {metric, diagonal_metric(metric.d)})
        for (const ggml_type type : quick_to_prepare) {
            CAPTURE(type_label(type));
            const Rounded theirs = round_by_engine(type, m, w), mine = round_with_feedback(type, m, w, 1);
            for (int64_t r = 0; r < n_rows; r++) {
                CAPTURE(r);
                const Matrix h =
                    m.h.size() > 0 ? m.h : Matrix(Eigen::Map<const Eigen::VectorXf>(m.d.data(), n).asDiagonal());
                const double their_error = quadratic_error(h, w.row(r).data(), theirs.means.row(r).data(), 1);
                CHECK(quadratic_error(h, w.row(r).data(), mine.means.row(r).data(), 1) <= their_error * (1 + 1e-5));
            }
        }
}

TEST_CASE("rows of a codebook type are rounded alike in whatever company") {
    const Metric metric = correlated_metric();
    const Matrix w = normal_matrix(n_rows, n, 6) * 0.02F;
    const Rounded together = round_with_feedback(GGML_TYPE_IQ3_S, metric, w, 1);
    const Rounded alone = round_with_feedback(GGML_TYPE_IQ3_S, metric, w.row(5), 1);
    CHECK(alone.means.row(0) == together.means.row(5));
}

TEST_CASE("MXFP4 is rounded by the engine block by block, with feedback between blocks") {
    const Metric metric = correlated_metric();
    const Matrix w = normal_matrix(n_rows, n, 7) * 0.02F;
    const Rounded theirs = round_by_engine(GGML_TYPE_MXFP4, metric, w);
    const Rounded mine = round_with_feedback(GGML_TYPE_MXFP4, metric, w, 1);
    Matrix decoded(n_rows, n);
    to_float(GGML_TYPE_MXFP4, mine.bytes.data(), decoded.data(), n_rows * n);
    CHECK((decoded - mine.means).cwiseAbs().maxCoeff() < 1e-6F);
    CHECK(quadratic_error(metric.h, w.data(), mine.means.data(), n_rows) <
          quadratic_error(metric.h, w.data(), theirs.means.data(), n_rows));
}

}  // namespace ech0
