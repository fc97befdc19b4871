#pragma once

// Fit a matrix to what the original one put out, given that its inputs are no longer the original's. With x the inputs
// in the original model and y those in the model whose earlier layers are already compressed (or pruned), the matrix
// that serves best is not W but the least-squares solution of A y = W x:
//
//     A = W + (a W (C - H) + b S) (H + ridge mean(diag H) I)^-1,    H = mean y y', C = mean x y', S = mean r y'
//
// where r is what the residual stream has already lost when this matrix adds to it. Steps a, b below 1 because the
// moments are estimates. Sources: Li et al. 2025, GPTAQ; Zhang et al. 2025, Qronos (a = 1, no S); steps and S: ours.

#include <memory>

#include "base/matrix.h"
#include "compress/rounding_options.h"

namespace ech0 {

/// Moments of one linear map's inputs on the calibration text; means over tokens.
struct InputMoments {
    Matrix h;  ///< [n, n] of the inputs as they are now
    Matrix c;  ///< [n, n] original inputs times inputs as they are now; empty: inputs are the original's
    Matrix s;  ///< [n_out, n] what the stream has lost times inputs as they are now; empty: not known
};

/// The fit of one linear map, factored once, for some of its rows at a time.
class OutputFit {
public:
    /// @param moments  outlive this object
    OutputFit(const InputMoments& moments, const RepairOptions& options);
    ~OutputFit();

    /// Rows of A. @param w  rows of W, [n_rows, moments.h.rows()]; @param first_row  which row of W its first one is
    Matrix operator()(const Matrix& w, int64_t first_row) const;

private:
    const InputMoments& moments_;
    RepairOptions options_;
    struct Factor;
    Matrix moved_;                     // a (C - H); empty: the inputs are the original's
    std::unique_ptr<Factor> regular_;  // H + ridge; none: nothing to do
};

/// A for all rows of W. @param w  [n_rows, moments.h.rows()]
Matrix fit_to_output(const Matrix& w, const InputMoments& moments, const RepairOptions& options);

}  // namespace ech0
