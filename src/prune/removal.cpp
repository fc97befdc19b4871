#include "prune/removal.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <numeric>

#include "base/interrupt.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using Columns = std::vector<int64_t>;

Columns columns_of(const std::vector<int32_t>& units, int64_t unit_columns) {
    Columns columns;
    for (const int32_t u : units)
        for (int64_t j = 0; j < unit_columns; j++) columns.push_back(u * unit_columns + j);
    return columns;
}

Matrix regular(const Matrix& h, float ridge) {
    Matrix result = h;
    result.diagonal().array() += std::max(ridge * h.diagonal().mean(), 1e-20F);
    return result;
}

Matrix inverse(const Matrix& h) {
    const Eigen::LLT<Matrix> llt(h);
    if (llt.info() != Eigen::Success)
        throw EngineError("second moments of a pruned input are not positive definite: raise the ridge");
    return llt.solve(Matrix::Identity(h.rows(), h.cols()));
}

// Columns that are gone cost time in every step until they are dropped; dropping them copies the matrix. Each eighth:
// the steps then take little more than a third of the time that they would with all columns.
constexpr size_t drop_share = 8;

/// The matrix and the inverse moment while units leave.
struct Removal {
    Matrix w, p;
    int64_t unit_columns;
    std::vector<int32_t> units;  // by place in w and p
    std::vector<bool> gone;      // by place

    double score(size_t place) const {
        const int64_t first = static_cast<int64_t>(place) * unit_columns;
        const Matrix ws = w.middleCols(first, unit_columns);
        if (unit_columns == 1) return static_cast<double>(ws.squaredNorm() / p(first, first));
        const Matrix block = p.block(first, first, unit_columns, unit_columns);
        return (block.llt().solve(ws.transpose()).transpose().cwiseProduct(ws)).cast<double>().sum();
    }

    /// Places of the n units that hurt least, ascending.
    std::vector<int32_t> least(int64_t n) const {
        std::vector<std::pair<double, int32_t>> scores;
        for (size_t i = 0; i < units.size(); i++)
            if (!gone[i]) scores.emplace_back(score(i), static_cast<int32_t>(i));
        std::sort(scores.begin(), scores.end());
        std::vector<int32_t> places;
        for (int64_t i = 0; i < n; i++) places.push_back(scores[static_cast<size_t>(i)].second);
        std::sort(places.begin(), places.end());
        return places;
    }

    /// @return the error that this step adds
    double remove(const std::vector<int32_t>& places) {
        const Columns s = columns_of(places, unit_columns);
        const Matrix ws = w(Eigen::all, s), ps = p(s, Eigen::all);
        const Eigen::LLT<Matrix> block(Matrix(ps(Eigen::all, s)));
        const Matrix solved = block.solve(ws.transpose());  // (P_SS)^-1 W_S'
        const double error = solved.transpose().cwiseProduct(ws).cast<double>().sum();
        w.noalias() -= solved.transpose() * ps;
        const Matrix right = block.solve(ps);
        p.noalias() -= ps.transpose() * right;
        for (const int32_t i : places) gone[static_cast<size_t>(i)] = true;
        w(Eigen::all, s).setZero();
        p(s, Eigen::all).setZero();
        p(Eigen::all, s).setZero();
        return error;
    }

    void drop_gone() {
        const auto n_gone = static_cast<size_t>(std::count(gone.begin(), gone.end(), true));
        if (n_gone * drop_share < units.size()) return;
        std::vector<int32_t> places, left;
        for (size_t i = 0; i < units.size(); i++)
            if (!gone[i]) places.push_back(static_cast<int32_t>(i)), left.push_back(units[i]);
        const Columns kept = columns_of(places, unit_columns);
        w = Matrix(w(Eigen::all, kept));
        p = Matrix(p(kept, kept));
        units = left;
        gone.assign(units.size(), false);
    }
};

}  // namespace

std::vector<RemovalStep> removal_steps(const Matrix& w, const Matrix& h, int64_t unit_columns, int64_t units_per_step,
                                       float ridge) {
    const int64_t n_units = w.cols() / unit_columns;
    const double power = (w * h).cwiseProduct(w).cast<double>().sum();
    Removal removal{w, inverse(regular(h, ridge)), unit_columns, std::vector<int32_t>(static_cast<size_t>(n_units)),
                    std::vector<bool>(static_cast<size_t>(n_units))};
    std::iota(removal.units.begin(), removal.units.end(), 0);
    std::vector<RemovalStep> steps;
    double error = 0;
    for (int64_t left = n_units; left > units_per_step; left -= units_per_step) {
        check_interrupt();
        const std::vector<int32_t> places = removal.least(units_per_step);
        error += removal.remove(places);
        RemovalStep step{{}, power > 0 ? error / power : 0};
        for (const int32_t i : places) step.units.push_back(removal.units[static_cast<size_t>(i)]);
        steps.push_back(std::move(step));
        removal.drop_gone();
    }
    return steps;
}

Matrix without_units(const Matrix& w, const Matrix& h, int64_t unit_columns, const std::vector<int32_t>& units,
                     float ridge) {
    const Columns gone = columns_of(units, unit_columns);
    std::vector<bool> is_gone(static_cast<size_t>(w.cols()));
    for (const int64_t j : gone) is_gone[static_cast<size_t>(j)] = true;
    Columns kept;
    for (int64_t j = 0; j < w.cols(); j++)
        if (!is_gone[static_cast<size_t>(j)]) kept.push_back(j);
    Matrix result = Matrix::Zero(w.rows(), w.cols());
    if (kept.empty()) return result;
    const Matrix r = regular(h, ridge);
    const Matrix kk = r(kept, kept), sk = r(gone, kept);
    const Eigen::LLT<Matrix> llt(kk);
    const Matrix moved = llt.solve(sk.transpose() * w(Eigen::all, gone).transpose()).transpose();
    result(Eigen::all, kept) = w(Eigen::all, kept) + moved;
    return result;
}

}  // namespace ech0
