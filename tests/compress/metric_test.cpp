#include "compress/metric.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ech0/error.h"
#include "support/random_matrix.h"

namespace ech0 {
namespace {

/// Mean of x x' over random x that mix fewer sources than there are columns, and a little of their own.
Matrix random_moment(int64_t n, int64_t n_sources, float own, unsigned seed) {
    const Matrix mix = random_matrix(n_sources, n, seed);
    Matrix moment = mix.transpose() * mix / static_cast<float>(n_sources);
    moment.diagonal().array() += own;
    return moment;
}

double by_definition(const Matrix& h, const Matrix& e) {
    double sum = 0;
    for (int64_t i = 0; i < h.rows(); i++)
        for (int64_t j = 0; j < h.cols(); j++)
            sum += static_cast<double>(e(0, i)) * static_cast<double>(h(i, j)) * static_cast<double>(e(0, j));
    return sum;
}

/// Column by column from the factor: each column's own term, with what the columns before it hand over.
double by_factor(const Metric& metric, const Matrix& e) {
    double sum = 0;
    for (int64_t j = 0; j < metric.n(); j++) {
        auto term = static_cast<double>(e(0, j));
        for (int64_t i = 0; i < j; i++) term += static_cast<double>(e(0, i)) * static_cast<double>(metric.u(i, j));
        sum += static_cast<double>(metric.d[static_cast<size_t>(j)]) * term * term;
    }
    return sum;
}

void check_factor(const Metric& metric, double precision) {
    REQUIRE_FALSE(metric.fell_back);
    REQUIRE(metric.u.rows() == metric.h.rows());
    for (unsigned seed = 100; seed < 105; seed++) {
        const Matrix e = random_matrix(1, metric.n(), seed);
        CHECK(by_factor(metric, e) == doctest::Approx(by_definition(metric.h, e)).epsilon(precision));
    }
    for (int64_t j = 0; j < metric.n(); j++) {
        CHECK(metric.d[static_cast<size_t>(j)] > 0);
        for (int64_t i = j; i < metric.n(); i++) CHECK(metric.u(i, j) == 0);
    }
}

}  // namespace

TEST_CASE("the error by columns, each with what those before it hand over, is e H e'") {
    const Matrix moment = random_moment(70, 90, 0.1F, 1);
    const Metric metric = make_metric(moment, 0);
    CHECK(metric.h == moment);
    check_factor(metric, 1e-4);
}

TEST_CASE("shrinkage takes its share from entries off the diagonal only") {
    const Matrix moment = random_moment(40, 60, 0.1F, 2);
    const Metric metric = make_metric(moment, 0.25F);
    for (int64_t i = 0; i < 40; i++)
        for (int64_t j = 0; j < 40; j++)
            CHECK(metric.h(i, j) == doctest::Approx(i == j ? moment(i, j) : 0.75F * moment(i, j)).epsilon(1e-6));
    check_factor(metric, 1e-4);
}

TEST_CASE("full shrinkage leaves the diagonal, and columns hand nothing over") {
    const Matrix moment = random_moment(20, 30, 0.1F, 3);
    const Metric metric = make_metric(moment, 1);
    CHECK(metric.u.isZero(0));
    for (int64_t j = 0; j < 20; j++)
        CHECK(metric.d[static_cast<size_t>(j)] == doctest::Approx(moment(j, j)).epsilon(1e-6));
}

TEST_CASE("fewer tokens than columns, and columns that nothing came through, still give a factor") {
    Matrix moment = random_moment(64, 5, 0, 4);  // of rank 5
    for (const int64_t dead : {0, 17, 63}) {
        moment.row(dead).setZero();
        moment.col(dead).setZero();
    }
    const Metric metric = make_metric(moment, 0);
    check_factor(metric, 1e-3);
    // What was added so that there is a factor is small against the mean of the diagonal, and nothing else changed.
    const float mean = moment.diagonal().mean();
    for (int64_t i = 0; i < 64; i++) {
        CHECK(metric.h(i, i) >= moment(i, i));
        CHECK(metric.h(i, i) <= moment(i, i) + 0.05F * mean);
        for (int64_t j = 0; j < 64; j++)
            if (i != j) CHECK(metric.h(i, j) == moment(i, j));
    }
}

TEST_CASE("inputs that are all zero still give a factor") {
    const Metric metric = make_metric(Matrix::Zero(32, 32), 0.2F);
    CHECK_FALSE(metric.fell_back);
    for (const float d : metric.d) CHECK(d > 0);
    CHECK(metric.u.isZero(0));
}

TEST_CASE("moments that are no numbers are refused") {
    for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        Matrix moment = random_moment(8, 12, 0.1F, 5);
        moment(2, 5) = broken;
        CHECK_THROWS_AS(make_metric(moment, 0.2F), EngineError);
    }
}

TEST_CASE("what cannot be a moment falls back to its diagonal, and says so") {
    // Ones on the diagonal, 100 beside it: one eigenvalue is 1 + 100 (n-1), the others are -99.
    Matrix moment = Matrix::Constant(16, 16, 100);
    for (int64_t j = 0; j < 16; j++) moment(j, j) = 1 + static_cast<float>(j) / 100;
    const Metric metric = make_metric(moment, 0);
    CHECK(metric.fell_back);
    CHECK(metric.u.size() == 0);
    CHECK(metric.h.size() == 0);
    REQUIRE(metric.n() == 16);
    for (int64_t j = 0; j < 16; j++) CHECK(metric.d[static_cast<size_t>(j)] == moment(j, j));
}

TEST_CASE("a diagonal metric has its weights and no feedback") {
    const std::vector<float> squares = {1, 0.5F, 4};
    const Metric metric = diagonal_metric(squares);
    CHECK(metric.d == squares);
    CHECK(metric.u.size() == 0);
    CHECK_FALSE(metric.fell_back);
}

}  // namespace ech0
