#include "compress/feedback.h"

#include <doctest/doctest.h>

#include <cmath>

#include "runtime/ggml_types.h"
#include "support/random_matrix.h"

namespace ech0 {
namespace {

constexpr int64_t n = 512;  // two panels

constexpr ggml_type scalar_types[] = {GGML_TYPE_Q2_0, GGML_TYPE_Q4_0,   GGML_TYPE_Q4_1,  GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
                                      GGML_TYPE_Q8_0, GGML_TYPE_Q2_K,   GGML_TYPE_Q3_K,  GGML_TYPE_Q4_K, GGML_TYPE_Q5_K,
                                      GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS};
constexpr ggml_type some_types[] = {GGML_TYPE_Q4_0, GGML_TYPE_Q5_1, GGML_TYPE_Q2_K,
                                    GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_IQ4_XS};

/// Columns that go together, of uneven strength.
Matrix correlated_moment() {
    Matrix mix = random_matrix(60, n, 1) / 8;
    for (int64_t j = 0; j < n; j++) mix.col(j) *= 0.2F + static_cast<float>(j % 11) / 5;
    Matrix moment = mix.transpose() * mix;
    moment.diagonal().array() += 0.3F;
    return moment;
}

const Metric& correlated() {
    static const Metric metric = make_metric(correlated_moment(), 0.1F);
    return metric;
}

std::vector<std::byte> round_strided(ggml_type type, const Metric& metric, const float* rows, int64_t stride,
                                     int64_t n_rows, int sweeps) {
    const size_t row_bytes = ggml_row_size(type, metric.n());
    std::vector<std::byte> out(row_bytes * static_cast<size_t>(n_rows));
    round_tile(type, metric, {rows, stride, n_rows, out.data(), row_bytes}, {sweeps});
    return out;
}

std::vector<std::byte> rounded(ggml_type type, const Metric& metric, const Matrix& w, int sweeps = 2) {
    return round_strided(type, metric, w.data(), w.cols(), w.rows(), sweeps);
}

Matrix meaning(ggml_type type, const std::vector<std::byte>& bytes, int64_t n_rows) {
    Matrix back(n_rows, n);
    to_float(type, bytes.data(), back.data(), back.size());
    return back;
}

double error_by_definition(const Matrix& h, const Matrix& w, const Matrix& q) {
    double sum = 0;
    for (int64_t r = 0; r < w.rows(); r++)
        for (int64_t i = 0; i < w.cols(); i++) {
            double slope = 0;
            for (int64_t j = 0; j < w.cols(); j++)
                slope += static_cast<double>(h(i, j)) * static_cast<double>(w(r, j) - q(r, j));
            sum += slope * static_cast<double>(w(r, i) - q(r, i));
        }
    return sum;
}

bool valid(ggml_type type, const std::vector<std::byte>& bytes) {
    return ggml_validate_row_data(type, bytes.data(), bytes.size());
}

}  // namespace

TEST_CASE("no sweep of coordinate descent raises the error, row by row") {
    const Matrix w = random_matrix(6, n, 2);
    for (const ggml_type type : scalar_types) {
        CAPTURE(type_label(type));
        std::vector<double> before(6, INFINITY);
        for (const int sweeps : {0, 1, 2, 4}) {
            CAPTURE(sweeps);
            const Matrix q = meaning(type, rounded(type, correlated(), w, sweeps), 6);
            for (int64_t r = 0; r < 6; r++) {
                const double error = error_by_definition(correlated().h, w.row(r), q.row(r));
                CHECK(error <= before[static_cast<size_t>(r)] * (1 + 1e-5));  // sums are kept in float
                before[static_cast<size_t>(r)] = error;
            }
        }
    }
}

TEST_CASE("the error in double is e H e' by its definition") {
    const Matrix w = random_matrix(3, n, 3), q = random_matrix(3, n, 4);
    CHECK(quadratic_error(correlated().h, w.data(), q.data(), 3) ==
          doctest::Approx(error_by_definition(correlated().h, w, q)).epsilon(1e-4));
}

TEST_CASE("rows of zeros stay zeros, beside others") {
    Matrix w = random_matrix(5, n, 5);
    w.row(0).setZero();
    w.row(3).setZero();
    for (const ggml_type type : scalar_types) {
        CAPTURE(type_label(type));
        const std::vector<std::byte> bytes = rounded(type, correlated(), w);
        CHECK(valid(type, bytes));
        const Matrix q = meaning(type, bytes, 5);
        CHECK(q.row(0).isZero(0));
        CHECK(q.row(3).isZero(0));
        CHECK_FALSE(q.row(1).isZero(0.1F));
    }
}

TEST_CASE("a block of zeros in a row that is not gets no NaN, and little else") {
    Matrix w = random_matrix(2, n, 6);
    w.leftCols(256).setZero();
    for (const ggml_type type : scalar_types) {
        CAPTURE(type_label(type));
        const std::vector<std::byte> bytes = rounded(type, correlated(), w);
        REQUIRE(valid(type, bytes));
        const Matrix q = meaning(type, bytes, 2);
        CHECK(q.allFinite());
        CHECK(error_by_definition(correlated().h, w, q) < 0.5 * error_by_definition(correlated().h, w, 0 * w));
    }
}

TEST_CASE("rows of one value come back within the precision of the scales") {
    Matrix w(4, n);
    const float values[] = {0.75F, -0.75F, 0.06F, -3};
    for (int64_t r = 0; r < 4; r++) w.row(r).setConstant(values[r]);
    for (const ggml_type type : scalar_types) {
        CAPTURE(type_label(type));
        const std::vector<std::byte> bytes = rounded(type, correlated(), w);
        REQUIRE(valid(type, bytes));
        const Matrix q = meaning(type, bytes, 4);
        for (int64_t r = 0; r < 4; r++) {
            CAPTURE(r);
            const double power = error_by_definition(correlated().h, w.row(r), 0 * w.row(r));
            CHECK(error_by_definition(correlated().h, w.row(r), q.row(r)) < 1e-3 * power);
        }
    }
}

TEST_CASE("a row's bytes do not depend on the rows that are rounded with it") {
    const Matrix w = random_matrix(tile_rows, n, 7);
    for (const ggml_type type : some_types) {
        CAPTURE(type_label(type));
        const std::vector<std::byte> full = rounded(type, correlated(), w);
        for (const int64_t n_rows : {1, 5}) {
            const std::vector<std::byte> few = rounded(type, correlated(), w.topRows(n_rows));
            CHECK(std::equal(few.begin(), few.end(), full.begin()));
        }
    }
}

TEST_CASE("some columns of a wider matrix are rounded like a copy of them, and into their place") {
    const Matrix wide = random_matrix(7, n + 300, 8), copy = wide.middleCols(200, n);
    for (const ggml_type type : {GGML_TYPE_Q4_0, GGML_TYPE_Q3_K, GGML_TYPE_IQ2_XXS}) {
        CAPTURE(type_label(type));
        ggml_quantize_init(type);
        const std::vector<std::byte> dense = rounded(type, correlated(), copy);
        CHECK(round_strided(type, correlated(), wide.data() + 200, wide.cols(), 7, 2) == dense);

        const size_t row_bytes = ggml_row_size(type, n), gap = 24;
        std::vector<std::byte> spread((row_bytes + gap) * 7, std::byte{0xAB});
        round_tile(type, correlated(), {copy.data(), n, 7, spread.data(), row_bytes + gap}, {2});
        for (size_t r = 0; r < 7; r++) {
            const auto* at = spread.data() + r * (row_bytes + gap);
            CHECK(std::equal(at, at + row_bytes, dense.data() + r * row_bytes));
            for (size_t i = 0; i < gap; i++) CHECK(at[row_bytes + i] == std::byte{0xAB});
        }
    }
}

TEST_CASE("one huge column, of weights or of inputs, leaves blocks that the engine accepts") {
    Matrix w = random_matrix(8, n, 9) * 0.02F, moment = correlated_moment();
    SUBCASE("weights") { w.col(37) *= 1e5F; }
    SUBCASE("inputs") {
        moment.row(37) *= 1e3F;
        moment.col(37) *= 1e3F;
    }
    const Metric metric = make_metric(moment, 0.1F);
    REQUIRE_FALSE(metric.fell_back);
    for (const ggml_type type : scalar_types) {
        CAPTURE(type_label(type));
        const std::vector<std::byte> bytes = rounded(type, metric, w);
        REQUIRE(valid(type, bytes));
        const Matrix q = meaning(type, bytes, 8);
        REQUIRE(q.allFinite());
        CHECK(error_by_definition(metric.h, w, q) < 0.1 * error_by_definition(metric.h, w, 0 * w));
    }
}

TEST_CASE("with a diagonal metric each column is rounded for itself") {
    const std::vector<float> ones(n, 1.0F);
    const Matrix w = random_matrix(4, n, 10);
    Matrix changed = w;
    changed.leftCols(256) = random_matrix(4, 256, 11);
    for (const ggml_type type : some_types) {
        CAPTURE(type_label(type));
        const std::vector<std::byte> a = rounded(type, diagonal_metric(ones), w);
        const std::vector<std::byte> b = rounded(type, diagonal_metric(ones), changed);
        const size_t row = ggml_row_size(type, n), half = row / 2;
        for (size_t r = 0; r < 4; r++) {
            const auto* left = a.data() + r * row;
            const auto* right = b.data() + r * row;
            CHECK_FALSE(std::equal(left, left + half, right));
            CHECK(std::equal(left + half, left + row, right + half));
        }
    }
}

}  // namespace ech0
