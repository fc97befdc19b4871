#pragma once

// The least squares behind the repair (prune/mend.h): a matrix with fewer inputs than the original had, fitted to what
// that one put out plus what the residual stream has lost. Two forms of change are tried, and text held out decides:
// a free one, which can use every input, and one that maps only what the cut matrix puts out,
//     A = W_K + T W_K,
// as ReplaceMe (Shopkhoev et al. 2025) folds a linear map into the last projection before layers that are gone. The
// second has n_out^2 numbers to find instead of n_out x n, so that less text will do.

#include "compress/repair.h"

namespace ech0 {

using Vector = Eigen::VectorXf;

/// Sums over tokens, then means; c [n, n_kept], s [n_out, n_kept], h [n_kept, n_kept].
struct StreamMoments : InputMoments {
    double n_tokens = 0;
    Vector x, y, r;  ///< means of the original's inputs, ours, and the lost stream

    StreamMoments(int64_t n, int64_t n_kept, int64_t n_out);
    void finish();
    void join(const StreamMoments& other);
    /// About the means, which a bias carries.
    StreamMoments centred() const;
};

struct FitSettings {
    float step = 1, stream_step = 1, ridge = 0.05F;
    bool maps_output = false;
};

/// @param w  [n_out, n] the original's; @param kept  [n_out, n_kept] the columns of it that stay
Matrix fit_to_stream(const Matrix& w, const Matrix& kept, const StreamMoments& centred, const FitSettings& settings,
                     int n_threads);

/// Those that leave the least error on what is held out: form and ridge of a few, steps from 0 to 1 by a closed
/// formula. The defaults if nothing is held out.
FitSettings choose_fit(const Matrix& w, const Matrix& kept, const StreamMoments& fitted, const StreamMoments& held,
                       int n_threads);

}  // namespace ech0
