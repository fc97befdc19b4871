#include "compress/metric.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <numeric>

#include "ech0/error.h"

namespace ech0 {
namespace {

// A column that nothing comes through (a dead head) still needs a scale: this share of the mean, as in the importance
// weights of plain rounding.
constexpr float diagonal_floor = 1e-3F;

/// H = R R' with R upper triangular: the usual lower factor of H with rows and columns in reverse.
bool factor(const Matrix& h, Metric& metric) {
    const Matrix reversed = h.reverse();
    Eigen::LLT<Matrix> llt(reversed);
    if (llt.info() != Eigen::Success) return false;
    const Matrix lower = llt.matrixL();
    const int64_t n = h.rows();
    metric.d.resize(static_cast<size_t>(n));
    for (int64_t j = 0; j < n; j++) {
        const float pivot = lower(n - 1 - j, n - 1 - j);
        if (!(pivot > 0)) return false;
        metric.d[static_cast<size_t>(j)] = pivot * pivot;
    }
    metric.u = lower.reverse();
    for (int64_t j = 0; j < n; j++) metric.u.col(j) /= metric.u(j, j);
    metric.u.diagonal().setZero();
    return true;
}

}  // namespace

Metric diagonal_metric(std::span<const float> mean_squares) {
    Metric metric;
    const double sum = std::accumulate(mean_squares.begin(), mean_squares.end(), 0.0);
    const auto floor = static_cast<float>(diagonal_floor * sum / static_cast<double>(mean_squares.size()));
    for (const float x : mean_squares) metric.d.push_back(sum > 0 ? std::max(x, floor) : 1.0F);
    return metric;
}

Metric make_metric(const Matrix& moment, float shrinkage) {
    if (!moment.allFinite()) throw EngineError("second moments of the activations: NaN or infinity");
    Metric metric;
    metric.h = moment * (1 - shrinkage);
    const float floor = std::max(moment.diagonal().mean() * diagonal_floor, 1e-30F);
    const auto set_diagonal = [&](float more) {
        metric.h.diagonal() = moment.diagonal().cwiseMax(floor).array() + more;
    };
    set_diagonal(0);
    for (float more = floor; !factor(metric.h, metric); more *= 10) {
        if (more > moment.diagonal().mean() * 10) {
            set_diagonal(0);
            const Eigen::VectorXf diagonal = metric.h.diagonal();
            metric = diagonal_metric({diagonal.data(), static_cast<size_t>(diagonal.size())});
            metric.fell_back = true;
            return metric;
        }
        set_diagonal(more);
    }
    return metric;
}

}  // namespace ech0
