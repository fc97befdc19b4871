#include "compress/feedback.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compress/codebook.h"
#include "compress/lanes.h"
#include "compress/scalar_format.h"
#include "compress/scale_search.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

constexpr int rows = static_cast<int>(tile_rows);

// Columns that see each other's errors at once; those before them come in as one matrix product.
constexpr int64_t panel_columns = 256;

using TileMatrix = Eigen::Matrix<float, Eigen::Dynamic, rows, Eigen::RowMajor>;  // [n_cols, rows]
using PerRow = Eigen::Array<float, 1, rows>;

/// A block's scales, for each row of the tile, in the precision of the file.
struct BlockScales {
    float d[rows], dmin[rows];
    float scale[16][rows], min[16][rows];  // whole numbers
};

/// Everything about a tile under way.
struct Tile {
    const ScalarFormat& format;
    const Line line;
    const Metric& metric;
    TileMatrix w, e, level, target;  // target: of the panel under way
    std::vector<BlockScales> scales;

    Tile(const ScalarFormat& f, const Metric& m, const TileRows& in)
        : format(f), line(f), metric(m), w(TileMatrix::Zero(m.n(), rows)), e(m.n(), rows), level(m.n(), rows) {
        scales.resize(static_cast<size_t>(m.n() / f.block));
        for (int64_t r = 0; r < in.n_rows; r++)
            for (int64_t j = 0; j < m.n(); j++) w(j, r) = in.rows[r * in.stride + j];
    }
};

float half(float x) { return ggml_fp16_to_fp32(ggml_fp32_to_fp16(x)); }

float whole(float x, int least, int most) {
    return std::min(std::max(std::nearbyint(x), static_cast<float>(least)), static_cast<float>(most));
}

/// The d for which whole multiples come nearest to the steps (weighted), in half precision.
float common_unit(const float* steps, const float* weights, int n, int least, int most) {
    float peak = 0;
    for (int k = 0; k < n; k++)
        if (std::abs(steps[k]) > std::abs(peak)) peak = steps[k];
    if (peak == 0) return 0;
    float best = INFINITY, best_unit = 0;
    const auto try_unit = [&](float unit) {
        unit = half(unit);
        if (unit == 0) return;
        float error = 0;
        for (int k = 0; k < n; k++) {
            const float miss = steps[k] - unit * whole(steps[k] / unit, least, most);
            error += weights[k] * miss * miss;
        }
        if (error < best) best = error, best_unit = unit;
    };
    // The largest step is given each of the last few whole numbers in turn.
    for (int last = 0; last < 8 && most - last > most / 2; last++) {
        try_unit(peak / static_cast<float>(most - last));
        if (least < 0) try_unit(peak / static_cast<float>(least + last));
    }
    return best_unit;
}

/// Scales of a whole block from what its columns aim at now.
void choose_block_scales(const Tile& t, int64_t first, const float* x, BlockScales& b) {
    const ScalarFormat& f = t.format;
    const int n_subs = f.n_subs();
    float steps[16][rows], offsets[16][rows], sub_weight[16];
    for (int s = 0; s < n_subs; s++) {
        const float* weights = t.metric.d.data() + first + s * f.sub;
        const float* at = x + static_cast<int64_t>(s) * f.sub * rows;
        std::fill_n(offsets[s], rows, 0.0F);
        if (f.has_min)
            search_steps_and_offsets(t.line, at, weights, f.sub, !f.has_scales(), steps[s], offsets[s]);
        else
            search_steps(t.line, at, weights, f.sub, steps[s]);
        sub_weight[s] = 0;
        for (int k = 0; k < f.sub; k++) sub_weight[s] += weights[k];
    }
    for (int r = 0; r < rows; r++) {
        if (!f.has_scales()) {
            b.d[r] = half(steps[0][r]);
            b.dmin[r] = half(offsets[0][r]);
            b.scale[0][r] = b.min[0][r] = 1;
            continue;
        }
        float mine[16], my_offsets[16];
        for (int s = 0; s < n_subs; s++) mine[s] = steps[s][r], my_offsets[s] = offsets[s][r];
        b.d[r] = common_unit(mine, sub_weight, n_subs, f.least_scale, f.most_scale);
        b.dmin[r] = f.has_min ? common_unit(my_offsets, sub_weight, n_subs, 0, f.most_min) : 0;
        for (int s = 0; s < n_subs; s++) {
            b.scale[s][r] = b.d[r] != 0 ? whole(mine[s] / b.d[r], f.least_scale, f.most_scale) : 0;
            b.min[s][r] = b.dmin[r] != 0 ? whole(my_offsets[s] / b.dmin[r], 0, f.most_min) : 0;
        }
    }
}

void effective(const BlockScales& b, int sub, float* steps, float* offsets) {
    for (int r = 0; r < rows; r++) {
        steps[r] = b.d[r] * b.scale[sub][r];
        offsets[r] = b.dmin[r] * b.min[sub][r];
    }
}

/// A sub-block's whole numbers once more, now that its columns' aims are known; d and dmin stand.
void refit_sub_block(const Tile& t, int64_t first, int sub, const float* x, BlockScales& b) {
    const ScalarFormat& f = t.format;
    if (!f.has_scales()) return;
    const float* weights = t.metric.d.data() + first;
    float steps[rows], offsets[rows] = {}, level[rows], sum[rows] = {}, total = 0;
    if (f.has_min)
        search_steps_and_offsets(t.line, x, weights, f.sub, false, steps, offsets);
    else
        search_steps(t.line, x, weights, f.sub, steps);
    for (int r = 0; r < rows; r++) {
        b.scale[sub][r] = b.d[r] != 0 ? whole(steps[r] / b.d[r], f.least_scale, f.most_scale) : 0;
        steps[r] = b.d[r] * b.scale[sub][r];
    }
    if (!f.has_min) return;
    for (int k = 0; k < f.sub; k++) {  // the best offset for the scale as it is stored
        nearest_levels(t.line, x + k * rows, steps, offsets, level);
        total += weights[k];
        for (int r = 0; r < rows; r++) sum[r] += weights[k] * (steps[r] * level[r] - x[k * rows + r]);
    }
    for (int r = 0; r < rows; r++)
        b.min[sub][r] = b.dmin[r] != 0 ? whole(sum[r] / total / b.dmin[r], 0, f.most_min) : 0;
}

void round_column(Tile& t, int64_t j, const float* steps, const float* offsets, int64_t panel, int64_t panel_end) {
    float* level = t.level.row(j).data();
    float* error = t.e.row(j).data();
    nearest_levels(t.line, t.target.row(j - panel).data(), steps, offsets, level);
    const float* w = t.w.row(j).data();
    for (int r = 0; r < rows; r++) error[r] = w[r] - (steps[r] * level[r] - offsets[r]);
    if (t.metric.u.size() == 0) return;
    for (int64_t k = j + 1; k < panel_end; k++) {
        const float u = t.metric.u(j, k);
        float* target = t.target.row(k - panel).data();
        for (int r = 0; r < rows; r++) target[r] += u * error[r];
    }
}

void round_block(Tile& t, int64_t first, int64_t panel, int64_t panel_end) {
    const ScalarFormat& f = t.format;
    BlockScales& b = t.scales[static_cast<size_t>(first / f.block)];
    choose_block_scales(t, first, t.target.row(first - panel).data(), b);
    float steps[rows], offsets[rows];
    for (int s = 0; s < f.n_subs(); s++) {
        const int64_t begin = first + s * f.sub;
        if (t.metric.u.size() > 0) refit_sub_block(t, begin, s, t.target.row(begin - panel).data(), b);
        effective(b, s, steps, offsets);
        for (int64_t j = begin; j < begin + f.sub; j++) round_column(t, j, steps, offsets, panel, panel_end);
    }
}

void round_forward(Tile& t) {
    const int64_t n = t.metric.n();
    for (int64_t panel = 0; panel < n; panel += panel_columns) {
        const int64_t end = std::min(n, panel + panel_columns);
        t.target = t.w.middleRows(panel, end - panel);
        if (panel > 0 && t.metric.u.size() > 0)
            add_products_of_lanes(&t.metric.u(0, panel), n, t.e.data(), panel, 1, t.target.data(), end - panel);
        for (int64_t first = panel; first < end; first += t.format.block) round_block(t, first, panel, end);
    }
}

/// Coordinate descent in one panel: `g` = H e for its columns, kept true as levels and scales change.
struct Descent {
    Tile& t;
    int64_t panel, end;
    TileMatrix g;

    /// out += factor x H[columns out_first … , columns in_first …] in; H is symmetric, so its rows serve as columns.
    void add_h(int64_t in_first, const TileMatrix& in, float factor, int64_t out_first, int64_t n_out,
               float* out) const {
        add_products_of_lanes(&t.metric.h(in_first, out_first), t.metric.n(), in.data(), in.rows(), factor, out, n_out);
    }

    /// Columns first … first+n-1 of Q change by `change` [n, rows].
    void apply(int64_t first, const TileMatrix& change) {
        t.e.middleRows(first, change.rows()) -= change;
        add_h(first, change, -1, panel, end - panel, g.data());
    }

    /// The multiple of direction v [n, rows] at columns first… that lowers the error most, for each row.
    PerRow best_multiple(int64_t first, const TileMatrix& v) const {
        TileMatrix hv = TileMatrix::Zero(v.rows(), rows);
        add_h(first, v, 1, first, v.rows(), hv.data());
        const PerRow curvature = v.cwiseProduct(hv).colwise().sum().array();
        const PerRow slope = v.cwiseProduct(g.middleRows(first - panel, v.rows())).colwise().sum().array();
        return (curvature > 0).select(slope / curvature, 0);
    }

    void refit_units(int64_t first);
    void refit_sub(int64_t first, int sub);
    void refit_levels(int64_t first, int sub);
};

/// d and dmin of a block.
void Descent::refit_units(int64_t first) {
    const ScalarFormat& f = t.format;
    BlockScales& b = t.scales[static_cast<size_t>(first / f.block)];
    TileMatrix v(f.block, rows);
    for (const bool of_min : {false, true}) {
        if (of_min && !f.has_min) break;
        for (int k = 0; k < f.block; k++) {
            const int s = k / f.sub;
            for (int r = 0; r < rows; r++) v(k, r) = of_min ? -b.min[s][r] : b.scale[s][r] * t.level(first + k, r);
        }
        const PerRow wish = best_multiple(first, v);
        float* unit = of_min ? b.dmin : b.d;
        PerRow change;
        for (int r = 0; r < rows; r++) {
            const float now = half(unit[r] + wish(r));
            // Half precision is coarse: only if it is nearer to the wish than what stands.
            const bool better = std::isfinite(now) && std::abs(now - unit[r] - wish(r)) < std::abs(wish(r));
            change(r) = better ? now - unit[r] : 0;
            if (better) unit[r] = now;
        }
        v.array().rowwise() *= change;
        apply(first, v);
    }
}

/// Scale and min of a sub-block, whole numbers.
void Descent::refit_sub(int64_t first, int sub) {
    const ScalarFormat& f = t.format;
    if (!f.has_scales()) return;
    BlockScales& b = t.scales[static_cast<size_t>(first / f.block)];
    TileMatrix v(f.sub, rows);
    for (const bool of_min : {false, true}) {
        if (of_min && !f.has_min) break;
        if (of_min)
            v.setConstant(-1);
        else
            v = t.level.middleRows(first, f.sub);
        const PerRow wish = best_multiple(first, v);
        const float* unit = of_min ? b.dmin : b.d;
        float* number = of_min ? b.min[sub] : b.scale[sub];
        PerRow change;
        for (int r = 0; r < rows; r++) {
            const float now = unit[r] != 0 ? whole(number[r] + wish(r) / unit[r], of_min ? 0 : f.least_scale,
                                                   of_min ? f.most_min : f.most_scale)
                                           : number[r];
            change(r) = unit[r] * (now - number[r]);
            number[r] = now;
        }
        v.array().rowwise() *= change;
        apply(first, v);
    }
}

void Descent::refit_levels(int64_t first, int sub) {
    const ScalarFormat& f = t.format;
    const BlockScales& b = t.scales[static_cast<size_t>((first / f.block))];
    float steps[rows], offsets[rows], aim[rows], level[rows], change[rows];
    effective(b, sub, steps, offsets);
    for (int64_t j = first; j < first + f.sub; j++) {
        const float curvature = 1 / t.metric.h(j, j);
        float* now = t.level.row(j).data();
        const float* slope = g.row(j - panel).data();
        for (int r = 0; r < rows; r++) aim[r] = steps[r] * now[r] - offsets[r] + slope[r] * curvature;
        nearest_levels(t.line, aim, steps, offsets, level);
        float* error = t.e.row(j).data();
        float any = 0;
        for (int r = 0; r < rows; r++) {
            change[r] = steps[r] * (level[r] - now[r]);
            any = std::max(any, std::abs(change[r]));
            now[r] = level[r];
            error[r] -= change[r];
        }
        if (any == 0) continue;
        for (int64_t k = panel; k < end; k++) {
            const float hjk = t.metric.h(j, k);
            float* to = g.row(k - panel).data();
            for (int r = 0; r < rows; r++) to[r] -= hjk * change[r];
        }
    }
}

void sweep(Tile& t) {
    const int64_t n = t.metric.n();
    for (int64_t panel = 0; panel < n; panel += panel_columns) {
        Descent descent{t, panel, std::min(n, panel + panel_columns), {}};
        descent.g = TileMatrix::Zero(descent.end - panel, rows);
        descent.add_h(0, t.e, 1, panel, descent.end - panel, descent.g.data());
        for (int64_t block = panel; block < descent.end; block += t.format.block) {
            descent.refit_units(block);
            for (int s = 0; s < t.format.n_subs(); s++) {
                descent.refit_sub(block + s * t.format.sub, s);
                descent.refit_levels(block + s * t.format.sub, s);
            }
        }
    }
}

uint8_t level_index(const ScalarFormat& f, float level) {
    if (f.uniform) return static_cast<uint8_t>(level - f.levels.front());
    return static_cast<uint8_t>(std::lower_bound(f.levels.begin(), f.levels.end(), level) - f.levels.begin());
}

void pack_row(const Tile& t, int64_t row, std::byte* out) {
    const ScalarFormat& f = t.format;
    ScalarBlock block;
    for (int64_t first = 0; first < t.metric.n(); first += f.block, out += ggml_type_size(f.type)) {
        const BlockScales& b = t.scales[static_cast<size_t>(first / f.block)];
        block.d = ggml_fp32_to_fp16(b.d[row]);
        block.dmin = ggml_fp32_to_fp16(b.dmin[row]);
        for (int s = 0; s < f.n_subs(); s++) {
            block.scale[static_cast<size_t>(s)] = static_cast<int16_t>(b.scale[s][row]);
            block.min[static_cast<size_t>(s)] = static_cast<int16_t>(b.min[s][row]);
        }
        for (int k = 0; k < f.block; k++) block.level[static_cast<size_t>(k)] = level_index(f, t.level(first + k, row));
        pack(f, block, out);
    }
}

/// Codebook types, whose rounding wants rows without gaps.
void round_blocks(ggml_type type, const Metric& metric, const TileRows& in, const FeedbackOptions& options) {
    const size_t row_bytes = ggml_row_size(type, metric.n());
    Matrix dense(in.n_rows, metric.n());
    for (int64_t r = 0; r < in.n_rows; r++) std::copy_n(in.rows + r * in.stride, metric.n(), dense.row(r).data());
    std::vector<std::byte> out(row_bytes * static_cast<size_t>(in.n_rows));
    round_tile_by_blocks(type, metric, dense.data(), in.n_rows, options, out.data());
    for (int64_t r = 0; r < in.n_rows; r++)
        std::memcpy(in.out + static_cast<size_t>(r) * in.out_stride, out.data() + static_cast<size_t>(r) * row_bytes,
                    row_bytes);
}

}  // namespace

bool has_feedback(ggml_type type) { return scalar_format(type) != nullptr; }

void round_tile(ggml_type type, const Metric& metric, const TileRows& rows_in, const FeedbackOptions& options) {
    if (!has_feedback(type)) {
        round_blocks(type, metric, rows_in, options);
        return;
    }
    Tile tile(*scalar_format(type), metric, rows_in);
    round_forward(tile);
    if (metric.h.size() > 0)
        for (int i = 0; i < options.sweeps; i++) sweep(tile);
    for (int64_t r = 0; r < rows_in.n_rows; r++)
        pack_row(tile, r, rows_in.out + static_cast<size_t>(r) * rows_in.out_stride);
}

double quadratic_error(const Matrix& h, const float* a, const float* b, int64_t n_rows) {
    const int64_t n = h.rows();
    const Eigen::Map<const Matrix> left(a, n_rows, n), right(b, n_rows, n);
    return quadratic_error(h, left - right);
}

double quadratic_error(const Matrix& h, const Matrix& error) {
    const Matrix weighted = error * h;
    return error.cwiseProduct(weighted).cast<double>().sum();
}

}  // namespace ech0
