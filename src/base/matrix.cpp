#include "base/matrix.h"

#include <algorithm>

#include "base/parallel.h"

namespace ech0 {

using Strided = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;

void add_products(const float* a, int64_t stride_a, const float* b, int64_t stride_b, int64_t n_rows, int n_threads,
                  Matrix& sum) {
    const int64_t n_a = sum.rows(), n_b = sum.cols();
    const Strided left(a, n_rows, n_a, Eigen::OuterStride<>(stride_a));
    const Strided right(b, n_rows, n_b, Eigen::OuterStride<>(stride_b));
    const bool symmetric = a == b && n_a == n_b;
    constexpr int64_t stripe = 128;  // part of the result, so that sums do not depend on who computes them
    parallel_for((n_a + stripe - 1) / stripe, n_threads, [&](int64_t i) {
        const int64_t first = i * stripe, n = std::min(stripe, n_a - first), from = symmetric ? first : 0;
        sum.block(first, from, n, n_b - from).noalias() +=
            left.middleCols(first, n).transpose() * right.rightCols(n_b - from);
    });
}

void mirror(Matrix& symmetric) { symmetric.triangularView<Eigen::StrictlyLower>() = symmetric.transpose(); }

}  // namespace ech0
