#include "compress/repair.h"

#include <doctest/doctest.h>

#include <Eigen/QR>
#include <random>

namespace ech0 {
namespace {

using Doubles = Eigen::MatrixXd;

constexpr int64_t n = 48, n_out = 20, n_tokens = 400;

Doubles random_doubles(int64_t n_rows, int64_t n_cols, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    return Doubles::NullaryExpr(n_rows, n_cols, [&] { return normal(random); });
}

/// A linear map, its inputs in the original (columns of x), the same after earlier layers were compressed (y), and what
/// the stream has lost (r).
struct Case {
    Doubles w = random_doubles(n_out, n, 1);
    Doubles x = random_doubles(n, n_tokens, 2);
    Doubles y = 0.9 * x + 0.3 * random_doubles(n, n_tokens, 3);
    Doubles r = random_doubles(n_out, n_tokens, 4);

    InputMoments moments(bool with_c, bool with_s) const {
        InputMoments m;
        m.h = (y * y.transpose() / n_tokens).cast<float>();
        if (with_c) m.c = (x * y.transpose() / n_tokens).cast<float>();
        if (with_s) m.s = (r * y.transpose() / n_tokens).cast<float>();
        return m;
    }
    Matrix w_float() const { return w.cast<float>(); }

    /// A of A y = target in the least squares, by a solver that forms no moments.
    Doubles least_squares(const Doubles& target) const {
        return y.transpose().colPivHouseholderQr().solve(target.transpose()).transpose();
    }
};

double relative(const Matrix& a, const Doubles& expected) {
    return (a.cast<double>() - expected).norm() / expected.norm();
}

constexpr RepairOptions whole_step = {1, 1, 1e-9F};

}  // namespace

TEST_CASE("a whole step without a ridge is the least-squares solution of A y = W x") {
    const Case c;
    const Doubles expected = c.least_squares(c.w * c.x);
    REQUIRE((expected - c.w).norm() > 0.1 * c.w.norm());  // there is something to find
    CHECK(relative(fit_to_output(c.w_float(), c.moments(true, false), whole_step), expected) < 1e-4);
}

TEST_CASE("what the stream has lost is put back as far as the inputs tell of it") {
    const Case c;
    const Doubles expected = c.least_squares(c.w * c.x + c.r);
    CHECK(relative(fit_to_output(c.w_float(), c.moments(true, true), whole_step), expected) < 1e-4);
    // Without moved inputs the matrix itself stays, and only the loss is fitted.
    const Doubles loss_alone = c.w + c.least_squares(c.r);
    CHECK(relative(fit_to_output(c.w_float(), c.moments(false, true), whole_step), loss_alone) < 1e-4);
}

TEST_CASE("half a step goes half the way, for each of the two steps") {
    const Case c;
    const Doubles towards_output = c.least_squares(c.w * c.x) - c.w, towards_loss = c.least_squares(c.r);
    CHECK(relative(fit_to_output(c.w_float(), c.moments(true, true), {0.5F, 1, 1e-9F}),
                   c.w + 0.5 * towards_output + towards_loss) < 1e-4);
    CHECK(relative(fit_to_output(c.w_float(), c.moments(true, true), {1, 0.5F, 1e-9F}),
                   c.w + towards_output + 0.5 * towards_loss) < 1e-4);
}

TEST_CASE("the ridge is a share of the mean square of the inputs") {
    const Case c;
    const InputMoments m = c.moments(true, false);
    const Doubles h = m.h.cast<double>(), moved = c.w * (m.c.cast<double>() - h);
    const Doubles regular = h + 0.3 * h.trace() / n * Doubles::Identity(n, n);
    const Doubles expected = c.w + regular.colPivHouseholderQr().solve(moved.transpose()).transpose();
    CHECK(relative(fit_to_output(c.w_float(), m, {1, 1, 0.3F}), expected) < 1e-5);
}

TEST_CASE("with nothing known but the inputs as they are the matrix stays, to the bit") {
    const Case c;
    CHECK(fit_to_output(c.w_float(), c.moments(false, false), whole_step) == c.w_float());
    CHECK(fit_to_output(c.w_float(), c.moments(true, true), {0, 0, 0.05F}) == c.w_float());
}

TEST_CASE("inputs that did not move leave the matrix as it is, to the bit") {
    const Case c;
    InputMoments m = c.moments(false, false);
    m.c = m.h;
    CHECK(fit_to_output(c.w_float(), m, whole_step) == c.w_float());
}

TEST_CASE("moments without a solution leave the matrix as it is") {
    const Case c;
    InputMoments m = c.moments(true, false);
    m.h = -m.h;
    CHECK(fit_to_output(c.w_float(), m, {1, 1, 0.05F}) == c.w_float());
}

}  // namespace ech0
