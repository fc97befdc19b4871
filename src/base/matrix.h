#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>

namespace ech0 {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// sum += a' b, on n_threads threads, the same bits for any number of them. With a and b the same memory only the upper
/// triangle is added to; see mirror.
/// @param a  [n_rows, sum.rows()]; @param b  [n_rows, sum.cols()]; strides in floats from row to row
void add_products(const float* a, int64_t stride_a, const float* b, int64_t stride_b, int64_t n_rows, int n_threads,
                  Matrix& sum);

/// Copy the upper triangle to the lower.
void mirror(Matrix& symmetric);

}  // namespace ech0
