#include "base/matrix.h"

#include <doctest/doctest.h>

#include <cmath>

#include "support/random_matrix.h"

namespace ech0 {
namespace {

/// Column i of a times column j of b, by its definition.
double product(const Matrix& a, int64_t i, const Matrix& b, int64_t j) {
    double sum = 0;
    for (int64_t r = 0; r < a.rows(); r++) sum += static_cast<double>(a(r, i)) * static_cast<double>(b(r, j));
    return sum;
}

constexpr double precision = 2e-5;  // of sums of 40 products of order one, in float

}  // namespace

TEST_CASE("products of the columns of two matrices are added to the sum, read with their strides") {
    // 150 and 70: more than one stripe of the result, and no multiple of it. Both are parts of wider matrices.
    const Matrix a = random_matrix(40, 170, 1), b = random_matrix(40, 90, 2), before = random_matrix(150, 70, 3);
    Matrix sum = before;
    add_products(a.data() + 15, 170, b.data() + 5, 90, 40, 1, sum);
    double worst = 0;
    for (int64_t i = 0; i < sum.rows(); i++)
        for (int64_t j = 0; j < sum.cols(); j++) {
            const double expected = static_cast<double>(before(i, j)) + product(a, i + 15, b, j + 5);
            worst = std::max(worst, std::abs(static_cast<double>(sum(i, j)) - expected));
        }
    CHECK(worst < precision);
}

TEST_CASE("a matrix times itself fills the upper triangle, and mirror the rest") {
    const Matrix a = random_matrix(40, 320, 4);
    Matrix sum = Matrix::Zero(300, 300);
    add_products(a.data() + 20, 320, a.data() + 20, 320, 40, 1, sum);
    // What lies below the stripes on the diagonal is left alone: half the work.
    CHECK(sum(299, 0) == 0);
    mirror(sum);
    double worst = 0;
    for (int64_t i = 0; i < 300; i++)
        for (int64_t j = 0; j < 300; j++)
            worst = std::max(worst, std::abs(static_cast<double>(sum(i, j)) - product(a, i + 20, a, j + 20)));
    CHECK(worst < precision);
    CHECK(sum == Matrix(sum.transpose()));
}

TEST_CASE("mirror takes the upper triangle and leaves it as it is") {
    const Matrix before = random_matrix(9, 9, 5);
    Matrix after = before;
    mirror(after);
    for (int64_t i = 0; i < 9; i++)
        for (int64_t j = 0; j < 9; j++) CHECK(after(i, j) == (i <= j ? before(i, j) : before(j, i)));
}

TEST_CASE("sums have the same bits for any number of threads") {
    const Matrix a = random_matrix(33, 400, 6), b = random_matrix(33, 280, 7);
    Matrix one = Matrix::Zero(400, 280), three = one, square_one = Matrix::Zero(400, 400), square_three = square_one;
    add_products(a.data(), 400, b.data(), 280, 33, 1, one);
    add_products(a.data(), 400, b.data(), 280, 33, 3, three);
    add_products(a.data(), 400, a.data(), 400, 33, 1, square_one);
    add_products(a.data(), 400, a.data(), 400, 33, 3, square_three);
    CHECK(one == three);
    CHECK(square_one == square_three);
}

TEST_CASE("no rows add nothing") {
    const Matrix before = random_matrix(5, 6, 8);
    Matrix sum = before;
    add_products(before.data(), 5, before.data(), 6, 0, 1, sum);
    CHECK(sum == before);
}

}  // namespace ech0
