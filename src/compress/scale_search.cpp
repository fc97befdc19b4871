#include "compress/scale_search.h"

#include <algorithm>
#include <cmath>

namespace ech0 {
namespace {

constexpr int rows = static_cast<int>(tile_rows);

// Scales tried on either side, in tenths of the gap between two levels.
constexpr int n_side = 10;
constexpr float tenth = 0.1F;

// A variance of levels below this share of their mean square is rounding error: one of 32 weights that is a level
// apart from 31 makes 3e-5.
constexpr float one_level = 1e-5F;

/// Rounds to the nearest integer for |y| < 2^22, and unlike std::rint becomes vector code without further flags.
inline float round_near(float y) {
    constexpr float magic = 12582912.0F;  // 1.5 x 2^23
    return (y + magic) - magic;
}

template <bool uniform>
inline float nearest(const Line& line, float y) {
    y = std::min(std::max(y, line.low), line.high);
    if constexpr (uniform) return round_near(y);
    float level = line.levels[0];
    for (int i = 0; i + 1 < 16; i++) level = y > line.middles[i] ? line.levels[i + 1] : level;
    return level;
}

/// The weight of the largest absolute value in each row, with its sign.
void find_peaks(const float* x, int n, float* peak) {
    std::fill_n(peak, rows, 0.0F);
    for (int k = 0; k < n; k++)
        for (int r = 0; r < rows; r++) {
            const float v = x[k * rows + r];
            peak[r] = std::abs(v) > std::abs(peak[r]) ? v : peak[r];
        }
}

template <bool uniform>
void try_step(const Line& line, const float* x, const float* weights, int n, const float* inverse, float* best,
              float* steps) {
    float xl[rows] = {}, ll[rows] = {};
    for (int k = 0; k < n; k++)
        for (int r = 0; r < rows; r++) {
            const float v = x[k * rows + r], level = nearest<uniform>(line, v * inverse[r]);
            xl[r] += weights[k] * v * level;
            ll[r] += weights[k] * level * level;
        }
    for (int r = 0; r < rows; r++) {
        const float safe = ll[r] > 0 ? ll[r] : 1.0F;
        const float score = xl[r] * xl[r] / safe;  // what this much of the weighted square is explained
        steps[r] = score > best[r] ? xl[r] / safe : steps[r];
        best[r] = score > best[r] ? score : best[r];
    }
}

template <bool uniform>
void search_steps_on(const Line& line, const float* x, const float* weights, int n, float* steps) {
    float peak[rows], inverse[rows], best[rows];
    find_peaks(x, n, peak);
    std::fill_n(best, rows, 0.0F);
    std::fill_n(steps, rows, 0.0F);
    for (const float end : {line.low, line.high})
        for (int i = -n_side; i <= n_side; i++) {
            const float anchor = end + tenth * static_cast<float>(i) * line.gap;
            for (int r = 0; r < rows; r++) inverse[r] = peak[r] != 0 ? anchor / peak[r] : 0.0F;
            try_step<uniform>(line, x, weights, n, inverse, best, steps);
        }
    for (int r = 0; r < rows; r++) inverse[r] = steps[r] != 0 ? 1 / steps[r] : 0.0F;
    try_step<uniform>(line, x, weights, n, inverse, best, steps);
}

struct Sums {
    float l[rows] = {}, ll[rows] = {}, lx[rows] = {};
};

/// Least squares for step and offset, given levels by these inverse steps and lows.
template <bool uniform>
void try_affine(const Line& line, const float* x, const float* weights, int n, bool any_sign, float sum_w,
                const float* sum_x, const float* sum_xx, const float* inverse, const float* low, float* best,
                float* steps, float* offsets) {
    Sums s;
    for (int k = 0; k < n; k++)
        for (int r = 0; r < rows; r++) {
            const float v = x[k * rows + r], level = nearest<uniform>(line, (v - low[r]) * inverse[r]);
            const float wl = weights[k] * level;
            s.l[r] += wl;
            s.ll[r] += wl * level;
            s.lx[r] += wl * v;
        }
    for (int r = 0; r < rows; r++) {
        const float det = sum_w * s.ll[r] - s.l[r] * s.l[r];
        const float safe = det > 0 ? det : 1.0F, safe_ll = s.ll[r] > 0 ? s.ll[r] : 1.0F;
        float step = (sum_w * s.lx[r] - sum_x[r] * s.l[r]) / safe;
        float base = (s.ll[r] * sum_x[r] - s.l[r] * s.lx[r]) / safe;  // the value of level 0
        // Where all have one level (weights that are nearly the same) step and offset can't be told apart.
        const bool bad = !(det > one_level * sum_w * s.ll[r]) || (!any_sign && base > 0);
        step = bad ? s.lx[r] / safe_ll : step;
        base = bad ? 0.0F : base;
        const float error = sum_xx[r] - 2 * step * s.lx[r] - 2 * base * sum_x[r] + step * step * s.ll[r] +
                            2 * step * base * s.l[r] + base * base * sum_w;
        const bool better = s.ll[r] > 0 && error < best[r];
        steps[r] = better ? step : steps[r];
        offsets[r] = better ? -base : offsets[r];
        best[r] = better ? error : best[r];
    }
}

}  // namespace

Line::Line(const ScalarFormat& format)
    : low(format.levels.front()),
      high(format.levels.back()),
      gap((high - low) / static_cast<float>(format.levels.size() - 1)),
      n(static_cast<int>(format.levels.size())),
      uniform(format.uniform) {
    if (uniform) return;
    for (int i = 0; i < n; i++) levels[i] = format.levels[static_cast<size_t>(i)];
    for (int i = 0; i + 1 < n; i++) middles[i] = (levels[i] + levels[i + 1]) / 2;
}

void search_steps(const Line& line, const float* x, const float* weights, int n, float* steps) {
    if (line.uniform)
        search_steps_on<true>(line, x, weights, n, steps);
    else
        search_steps_on<false>(line, x, weights, n, steps);
}

void search_steps_and_offsets(const Line& line, const float* x, const float* weights, int n, bool any_sign,
                              float* steps, float* offsets) {
    float low[rows], high[rows], sum_x[rows] = {}, sum_xx[rows] = {}, inverse[rows], best[rows], sum_w = 0;
    std::copy_n(x, rows, low);
    std::copy_n(x, rows, high);
    for (int k = 0; k < n; k++) {
        sum_w += weights[k];
        for (int r = 0; r < rows; r++) {
            const float v = x[k * rows + r];
            low[r] = std::min(low[r], v);
            high[r] = std::max(high[r], v);
            sum_x[r] += weights[k] * v;
            sum_xx[r] += weights[k] * v * v;
        }
    }
    for (int r = 0; r < rows; r++) {
        low[r] = any_sign ? low[r] : std::min(low[r], 0.0F);
        steps[r] = 0;
        offsets[r] = -low[r];
        best[r] = high[r] > low[r] ? INFINITY : 0.0F;  // nothing to search where all weights are the same
    }
    for (int i = -n_side; i <= n_side; i++) {
        const float top = line.high + tenth * static_cast<float>(i);
        for (int r = 0; r < rows; r++) inverse[r] = high[r] > low[r] ? top / (high[r] - low[r]) : 0.0F;
        try_affine<true>(line, x, weights, n, any_sign, sum_w, sum_x, sum_xx, inverse, low, best, steps, offsets);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int r = 0; r < rows; r++) {
            inverse[r] = steps[r] != 0 ? 1 / steps[r] : 0.0F;
            low[r] = -offsets[r];
        }
        try_affine<true>(line, x, weights, n, any_sign, sum_w, sum_x, sum_xx, inverse, low, best, steps, offsets);
    }
}

void nearest_levels(const Line& line, const float* x, const float* steps, const float* offsets, float* level) {
    float inverse[rows];
    for (int r = 0; r < rows; r++) inverse[r] = steps[r] != 0 ? 1 / steps[r] : 0.0F;
    if (line.uniform)
        for (int r = 0; r < rows; r++) level[r] = nearest<true>(line, (x[r] + offsets[r]) * inverse[r]);
    else
        for (int r = 0; r < rows; r++) level[r] = nearest<false>(line, (x[r] + offsets[r]) * inverse[r]);
}

}  // namespace ech0
