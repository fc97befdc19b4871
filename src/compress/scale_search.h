#pragma once

// Scales for a group of weights, many rows at once: every array below holds one value per row of a tile, so that the
// loops run over rows and the compiler makes vector code of them. The search is the usual one: many scales around the
// one that maps the largest weight to the last level, levels by rounding, then the least-squares scale for these
// levels; the best of all. (As llama.cpp's make_qx_quants and make_qkx2_quants do it, row by row; Kawrakow 2023.)

#include <cstdint>

#include "compress/feedback.h"
#include "compress/scalar_format.h"

namespace ech0 {

/// A line of levels in the form that the inner loops want.
struct Line {
    explicit Line(const ScalarFormat& format);
    float low, high;  // first and last level
    float gap;        // mean distance of levels
    int n;            // levels
    bool uniform;
    float levels[32], middles[32];  // nonuniform only
};

/// steps[r] minimizes sum_k weights[k] (x[k][r] - steps[r] x level)^2.
/// @param x  [n, tile_rows]; @param weights  [n]
void search_steps(const Line& line, const float* x, const float* weights, int n, float* steps);

/// The same with an offset: x = steps[r] x level - offsets[r].
/// @param any_sign  may offsets be negative?
void search_steps_and_offsets(const Line& line, const float* x, const float* weights, int n, bool any_sign,
                              float* steps, float* offsets);

/// level[r] = the level nearest to (x[r] + offsets[r]) / steps[r]; 0 steps give the level nearest to 0.
void nearest_levels(const Line& line, const float* x, const float* steps, const float* offsets, float* level);

}  // namespace ech0
