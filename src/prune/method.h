#pragma once

namespace ech0 {

/// What decides which units go.
enum class UnitScore {
    measured,   ///< least-squares loss of the output times a measured gain
    magnitude,  ///< the squares of the unit's own weights: the usual baseline, for comparison
    flap,       ///< fluctuation of the unit's input times the squares of its output's weights, for comparison
};

/// How much of each output matrix is fitted anew.
enum class Repair {
    off,
    bias,  ///< only a bias: what was cut is replaced by its mean
    full,  ///< the matrix and the bias
};

}  // namespace ech0
