#include "prune/removal.h"

#include <doctest/doctest.h>

#include <Eigen/QR>
#include <algorithm>
#include <set>

#include "support/random_matrix.h"

namespace ech0 {
namespace {

constexpr int64_t n = 24, n_out = 10, n_tokens = 200;
constexpr float ridge = 1e-6F;

/// Inputs that know of each other, a map, and the share of its output that the best map on some inputs misses.
struct Case {
    Matrix x = random_matrix(n_tokens, n, 1);
    Matrix w = random_matrix(n_out, n, 2);
    Case() { x.rightCols(8) = x.leftCols(8) + 0.2F * x.rightCols(8); }
    Matrix h() const { return x.transpose() * x / static_cast<float>(n_tokens); }

    double missed(const std::set<int64_t>& gone) const {
        const Eigen::MatrixXd all = x.cast<double>(), y = all * w.cast<double>().transpose();
        Eigen::MatrixXd kept(n_tokens, n - static_cast<int64_t>(gone.size()));
        int64_t at = 0;
        for (int64_t j = 0; j < n; j++)
            if (!gone.contains(j)) kept.col(at++) = all.col(j);
        return (y - kept * kept.colPivHouseholderQr().solve(y)).squaredNorm() / y.squaredNorm();
    }
};

}  // namespace

TEST_CASE("the error of each step is what least squares on the inputs that stay leaves") {
    const Case c;
    for (const int64_t unit_columns : {1, 3}) {
        CAPTURE(unit_columns);
        const std::vector<RemovalStep> steps = removal_steps(c.w, c.h(), unit_columns, 2, ridge);
        REQUIRE(steps.size() == static_cast<size_t>((n / unit_columns - 1) / 2));
        std::set<int64_t> gone;
        for (const RemovalStep& step : steps) {
            for (const int32_t u : step.units)
                for (int64_t j = 0; j < unit_columns; j++) CHECK(gone.insert(u * unit_columns + j).second);
            CHECK(step.error == doctest::Approx(c.missed(gone)).epsilon(0.01));
        }
    }
}

TEST_CASE("inputs that others can make up for go first, and dead ones before all") {
    Case c;
    c.x.col(20).setZero();
    const std::vector<RemovalStep> steps = removal_steps(c.w, c.h(), 1, 1, ridge);
    CHECK(steps[0].units == std::vector<int32_t>{20});
    CHECK(steps[0].error < 1e-6);
    for (size_t i = 1; i < 5; i++) {
        const int32_t u = steps[i].units.front();
        CHECK((u < 8 || u >= 16));  // one of a pair
    }
    for (size_t i = 1; i < steps.size(); i++) CHECK(steps[i].error >= steps[i - 1].error);
}

TEST_CASE("the matrix without units is the least-squares one, with zeros in their columns") {
    const Case c;
    const Matrix a = without_units(c.w, c.h(), 3, {1, 6}, ridge);
    for (const int64_t j : {3, 4, 5, 18, 19, 20}) CHECK(a.col(j).isZero(0));
    const Matrix e = c.w - a;
    const double error =
        (e * c.h()).cwiseProduct(e).cast<double>().sum() / (c.w * c.h()).cwiseProduct(c.w).cast<double>().sum();
    CHECK(error == doctest::Approx(c.missed({3, 4, 5, 18, 19, 20})).epsilon(0.01));
}

}  // namespace ech0
