#include "prune/stream_fit.h"

#include <doctest/doctest.h>

#include <Eigen/Cholesky>

#include "compress/held_out.h"
#include "support/random_matrix.h"

namespace ech0 {
namespace {

constexpr int64_t n = 40, n_kept = 32, n_out = 6;

/// Inputs of which some are gone, and a stream that has lost a linear map of what the matrix puts out, and noise.
struct Case {
    Matrix w = random_matrix(n_out, n, 1), lost_map = 0.5F * random_matrix(n_out, n_out, 2);
    Matrix kept() const { return w.leftCols(n_kept); }

    StreamMoments moments(int64_t n_tokens, unsigned seed) const {
        const Matrix x = random_matrix(n_tokens, n, seed);
        const Matrix y = x.leftCols(n_kept);
        const Matrix r = y * kept().transpose() * lost_map.transpose() + random_matrix(n_tokens, n_out, seed + 1);
        StreamMoments m(n, n_kept, n_out);
        m.h = y.transpose() * y;
        m.c = x.transpose() * y;
        m.s = r.transpose() * y;
        m.x = x.colwise().sum().transpose();
        m.y = y.colwise().sum().transpose();
        m.r = r.colwise().sum().transpose();
        m.n_tokens = static_cast<double>(n_tokens);
        m.finish();
        return m;
    }
};

}  // namespace

TEST_CASE("steps are those of least error on what is held out: none of a grid of them does better") {
    const Case c;
    const StreamMoments fitted = c.moments(60, 3), held = c.moments(500, 5);
    const FitSettings chosen = choose_fit(c.w, c.kept(), fitted, held, 1);
    const double least = output_error(c.w, fit_to_stream(c.w, c.kept(), fitted, chosen, 1), held);
    for (const bool maps_output : {false, true})
        for (const float ridge : {0.01F, 0.05F, 0.2F})
            for (const float step : {0.0F, 0.25F, 0.5F, 0.75F, 1.0F})
                for (const float stream : {0.0F, 0.25F, 0.5F, 0.75F, 1.0F}) {
                    const FitSettings other{step, stream, ridge, maps_output};
                    CHECK(least <= output_error(c.w, fit_to_stream(c.w, c.kept(), fitted, other, 1), held) + 1e-4);
                }
}

TEST_CASE("with little text a map of what the matrix puts out is chosen, with much text the free fit") {
    Case c;
    const StreamMoments held = c.moments(2000, 5);
    CHECK(choose_fit(c.w, c.kept(), c.moments(24, 3), held, 1).maps_output);
    c.lost_map.setZero();
    StreamMoments much = c.moments(4000, 7), judged = held;  // lost: something that only the inputs know
    const Matrix other = random_matrix(n_out, n_kept, 9);
    much.s = other * much.h, judged.s = other * judged.h;
    CHECK_FALSE(choose_fit(c.w, c.kept(), much, judged, 1).maps_output);
}

TEST_CASE("a whole free step without ridge is the least-squares solution") {
    const Case c;
    const StreamMoments m = c.moments(300, 11);
    const Matrix a = fit_to_stream(c.w, c.kept(), m, {1, 1, 1e-6F, false}, 3);
    const Eigen::MatrixXd h = m.h.cast<double>(), target = (c.w * m.c + m.s).cast<double>();
    const Eigen::MatrixXd exact = h.ldlt().solve(target.transpose()).transpose();
    CHECK((a.cast<double>() - exact).norm() < 1e-3 * exact.norm());
}

TEST_CASE("nothing held out: the defaults; nothing that can be factored: the matrix as it was cut") {
    const Case c;
    StreamMoments none(n, n_kept, n_out);
    CHECK(choose_fit(c.w, c.kept(), c.moments(60, 3), none, 1).ridge == FitSettings().ridge);
    StreamMoments bad = c.moments(60, 3);
    bad.h = -bad.h;
    for (const bool maps_output : {false, true})
        CHECK(fit_to_stream(c.w, c.kept(), bad, {1, 1, 0.01F, maps_output}, 1) == c.kept());
}

}  // namespace ech0
