#include "prune/stream_fit.h"

#include <Eigen/Cholesky>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/parallel.h"

namespace ech0 {
namespace {

// Rows that one thread solves for at a time, whatever the number of threads.
constexpr int64_t slab = 256;

/// X with X H = B, row by row of B; empty if H is not positive definite.
Matrix solved(Matrix h, const Matrix& b, float ridge, int n_threads) {
    h.diagonal().array() += std::max(ridge * h.diagonal().mean(), 1e-20F);
    const Eigen::LLT<Matrix> llt(h);
    if (llt.info() != Eigen::Success) return {};
    Matrix x(b.rows(), b.cols());
    parallel_for((b.rows() + slab - 1) / slab, n_threads, [&](int64_t i) {
        const int64_t first = i * slab, n = std::min(slab, b.rows() - first);
        x.middleRows(first, n) = llt.solve(b.middleRows(first, n).transpose()).transpose();
    });
    return x;
}

/// What a whole step changes: the rows of `own` for what the cut took from this matrix, those of `stream` for what the
/// stream has lost. A = kept + step * own + stream_step * stream.
struct Changes {
    Matrix own, stream;
};

Changes changes(const Matrix& w, const Matrix& kept, const StreamMoments& m, const FitSettings& by, int n_threads) {
    Matrix wanted(2 * kept.rows(), kept.cols());
    wanted.topRows(kept.rows()) = w * m.c - kept * m.h;
    wanted.bottomRows(kept.rows()) = m.s;
    Matrix both;
    if (by.maps_output) {  // least squares for T: wanted W' = T W H W'
        const Matrix map = solved(kept * m.h * kept.transpose(), wanted * kept.transpose(), by.ridge, n_threads);
        if (map.size() > 0) both = map * kept;
    } else {
        both = solved(m.h, wanted, by.ridge, n_threads);
    }
    if (both.size() == 0) both = Matrix::Zero(wanted.rows(), wanted.cols());
    return {both.topRows(kept.rows()), both.bottomRows(kept.rows())};
}

double inner(const Matrix& a, const Matrix& b) { return a.cwiseProduct(b).cast<double>().sum(); }

/// The error on what is held out, but for what no step changes: a quadratic form of both steps.
struct HeldError {
    double aa, ab, bb, a, b;
    double operator()(double step, double stream) const {
        return step * step * aa + 2 * step * stream * ab + stream * stream * bb - 2 * step * a - 2 * stream * b;
    }
};

HeldError held_error(const Matrix& w, const Matrix& kept, const Changes& by, const StreamMoments& held) {
    const Matrix own = by.own * held.h, stream = by.stream * held.h, lost = w * held.c + held.s - kept * held.h;
    return {inner(own, by.own), inner(own, by.stream), inner(stream, by.stream), inner(lost, by.own),
            inner(lost, by.stream)};
}

/// Steps from 0 to 1 with the least error.
std::pair<double, double> best_steps(const HeldError& e) {
    const auto clamped = [](double top, double bottom) {
        return bottom > 0 ? std::clamp(top / bottom, 0.0, 1.0) : 0.0;
    };
    std::vector<std::pair<double, double>> corners;
    for (const double edge : {0.0, 1.0}) {
        corners.emplace_back(edge, clamped(e.b - edge * e.ab, e.bb));
        corners.emplace_back(clamped(e.a - edge * e.ab, e.aa), edge);
    }
    const double determinant = e.aa * e.bb - e.ab * e.ab;
    if (determinant > 1e-9 * e.aa * e.bb) {
        const double step = (e.a * e.bb - e.b * e.ab) / determinant, stream = (e.b * e.aa - e.a * e.ab) / determinant;
        if (step > 0 && step < 1 && stream > 0 && stream < 1) corners.emplace_back(step, stream);
    }
    return *std::min_element(corners.begin(), corners.end(), [&](const auto& left, const auto& right) {
        return e(left.first, left.second) < e(right.first, right.second);
    });
}

}  // namespace

StreamMoments::StreamMoments(int64_t n, int64_t n_kept, int64_t n_out)
    : InputMoments{Matrix::Zero(n_kept, n_kept), Matrix::Zero(n, n_kept), Matrix::Zero(n_out, n_kept)},
      x(Vector::Zero(n)),
      y(Vector::Zero(n_kept)),
      r(Vector::Zero(n_out)) {}

void StreamMoments::finish() {
    const auto share = static_cast<float>(1 / std::max(1.0, n_tokens));
    mirror(h);
    h *= share, c *= share, s *= share, x *= share, y *= share, r *= share;
}

void StreamMoments::join(const StreamMoments& other) {
    const double total = n_tokens + other.n_tokens;
    const auto mine = static_cast<float>(n_tokens / total), theirs = static_cast<float>(other.n_tokens / total);
    h = mine * h + theirs * other.h;
    c = mine * c + theirs * other.c;
    s = mine * s + theirs * other.s;
    x = mine * x + theirs * other.x;
    y = mine * y + theirs * other.y;
    r = mine * r + theirs * other.r;
    n_tokens = total;
}

StreamMoments StreamMoments::centred() const {
    StreamMoments about = *this;
    about.h -= y * y.transpose();
    about.c -= x * y.transpose();
    about.s -= r * y.transpose();
    return about;
}

Matrix fit_to_stream(const Matrix& w, const Matrix& kept, const StreamMoments& centred, const FitSettings& settings,
                     int n_threads) {
    const Changes by = changes(w, kept, centred, settings, n_threads);
    return kept + settings.step * by.own + settings.stream_step * by.stream;
}

FitSettings choose_fit(const Matrix& w, const Matrix& kept, const StreamMoments& fitted, const StreamMoments& held,
                       int n_threads) {
    FitSettings best;
    if (held.n_tokens == 0) return best;
    double least = std::numeric_limits<double>::infinity();
    for (const bool maps_output : {false, true})
        for (const float ridge : {0.01F, 0.05F, 0.2F}) {
            FitSettings by{1, 1, ridge, maps_output};
            const HeldError error = held_error(w, kept, changes(w, kept, fitted, by, n_threads), held);
            const auto [step, stream] = best_steps(error);
            by.step = static_cast<float>(step), by.stream_step = static_cast<float>(stream);
            if (const double e = error(step, stream); e < least) least = e, best = by;
        }
    return best;
}

}  // namespace ech0
