#pragma once

// How much an error in the weights of one linear map hurts: |e X|^2 = e H e', with H the second moment of its inputs.
//
// Rounding needs H in the form H = R R' with R upper triangular (a Cholesky factor from the last column backwards):
// then e H e' = sum over columns j of d_j (e_j + sum_{i<j} e_i u_ij)^2 with u_ij = R_ij / R_jj and d_j = R_jj^2, and
// columns can be rounded from first to last, each aiming at what makes its own term small: error feedback. u needs no
// inverse of H. Sources: Frantar et al. 2022, GPTQ; Chee et al. 2023, QuIP (this form, there called LDLQ).

#include <cstdint>
#include <span>
#include <vector>

#include "base/matrix.h"

namespace ech0 {

struct Metric {
    Matrix h;                ///< [n, n] symmetric, positive definite
    Matrix u;                ///< [n, n] strictly upper triangular; empty: no feedback between columns
    std::vector<float> d;    ///< [n] weight of each column's own term
    bool fell_back = false;  ///< H was not positive definite whatever was tried: the diagonal alone is used

    int64_t n() const { return static_cast<int64_t>(d.size()); }
};

/// @param moment  [n, n] mean of x x' over tokens
/// @param shrinkage  0 … 1, how far entries off the diagonal go to zero: estimates of them from some ten thousand
/// tokens of other text are partly wrong, and feedback would trust them
/// @throws EngineError if the moment has NaN or infinity
Metric make_metric(const Matrix& moment, float shrinkage);

/// Only the diagonal: columns matter differently, errors are not fed back.
Metric diagonal_metric(std::span<const float> mean_squares);

}  // namespace ech0
