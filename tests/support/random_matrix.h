#pragma once

#include <random>

#include "base/matrix.h"

namespace ech0 {

/// Standard normal values; the same seed gives the same matrix.
inline Matrix random_matrix(int64_t n_rows, int64_t n_cols, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    Matrix m(n_rows, n_cols);
    for (float& value : m.reshaped()) value = normal(random);
    return m;
}

}  // namespace ech0
