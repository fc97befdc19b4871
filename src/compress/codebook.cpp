#include "compress/codebook.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "compress/codebook_format.h"
#include "compress/octet.h"
#include "compress/rounding.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

constexpr int rows = static_cast<int>(tile_rows);
constexpr int block = CodebookFormat::block;
constexpr int most_sub = 32;

using TileMatrix = Eigen::Matrix<float, Eigen::Dynamic, rows, Eigen::RowMajor>;  // [n_cols, rows]
using PerRow = Eigen::Array<float, 1, rows>;

// Scales tried for a sub-block when it is first rounded, beside the engine's, and in each sweep, beside what stands.
constexpr int first_scales[] = {0, -1, 1, -2, 2, -3, 3};
constexpr int later_scales[] = {0, -1, 1};

float half(float x) { return ggml_fp16_to_fp32(ggml_fp32_to_fp16(x)); }

/// How a sub-block is stored.
struct SubBlock {
    int32_t scale[rows];  // k of unit x (2 k + 1)
    Octet octets[most_sub / octet];
};

/// Everything about a tile under way.
struct Tile {
    const CodebookFormat& format;
    const Metric& metric;
    OctetRounder rounder;
    TileMatrix w, e, target;     // target: of the block under way
    std::vector<PerRow> d;       // per block, in the precision of the file
    std::vector<SubBlock> subs;  // of the whole row

    Tile(const CodebookFormat& f, const Metric& m, const float* source, int64_t n_rows)
        : format(f), metric(m), rounder(f), w(TileMatrix::Zero(m.n(), rows)), e(m.n(), rows) {
        d.resize(static_cast<size_t>(m.n() / block), PerRow::Zero());
        subs.resize(static_cast<size_t>(m.n() / f.sub), SubBlock{});
        for (int64_t r = 0; r < n_rows; r++)
            for (int64_t j = 0; j < m.n(); j++) w(j, r) = source[r * m.n() + j];
    }

    SubBlock& sub_at(int64_t first) { return subs[static_cast<size_t>(first / format.sub)]; }

    float step(int64_t first, int32_t scale, int r) const {
        return d[static_cast<size_t>(first / block)](r) * format.unit * static_cast<float>(2 * scale + 1);
    }
};

/// d and scales as the engine chose them for plain rows.
void take_scales(Tile& t, const std::byte* packed, int64_t n_rows) {
    for (int64_t r = 0; r < n_rows; r++)
        for (size_t b = 0; b < t.d.size(); b++, packed += ggml_type_size(t.format.type)) {
            const CodebookBlock read = unpack_scales(t.format, packed);
            t.d[b](r) = ggml_fp16_to_fp32(read.d);
            for (int s = 0; s < t.format.n_subs(); s++)
                t.subs[b * static_cast<size_t>(t.format.n_subs()) + static_cast<size_t>(s)].scale[r] =
                    read.scale[static_cast<size_t>(s)];
        }
}

/// Some neighbouring octets under way: where they are, and the metric that sees their errors.
struct Span {
    int64_t first;  // column of the row
    int n_octets;
    const Metric& metric;  // its column `origin` is column `first` of the row
    int64_t origin;
};

/// Rounds a span by one trial.
/// @param x  [span, rows] what is aimed at; @param cost  [rows] e M e' of what remains
void round_span(Tile& t, const Span& span, const float* x, const float* step, const int32_t* shifted, Octet* out,
                float* cost) {
    float aim[most_sub * rows];
    const int n = span.n_octets * octet;
    std::copy_n(x, n * rows, aim);
    std::fill_n(cost, rows, 0.0F);
    for (int o = 0; o < span.n_octets; o++) {
        const int begin = o * octet;
        t.rounder.round(span.metric, span.origin + begin, aim + begin * rows, step, shifted, out[o], cost);
        if (span.metric.u.size() == 0) continue;
        for (int i = 0; i < octet; i++)
            for (int k = begin + octet; k < n; k++) {
                const float u = span.metric.u(span.origin + begin + i, span.origin + k);
                for (int r = 0; r < rows; r++) aim[k * rows + r] += u * (x[(begin + i) * rows + r] - out[o].q[i][r]);
            }
    }
}

/// Rounds a whole sub-block with scales near `centre`, and keeps what is better than `cost`.
void try_scales(Tile& t, const Span& span, const float* x, std::span<const int> changes, SubBlock& best, float* cost) {
    const CodebookFormat& f = t.format;
    const bool common_shift = f.shift_span > octet;
    int32_t centre[rows];
    std::copy_n(best.scale, rows, centre);
    Octet trial[most_sub / octet];
    float step[rows], trial_cost[rows];
    for (const int change : changes)
        for (int s = 0; s < (common_shift ? 2 : 1); s++) {
            int32_t scale[rows], shifted[rows];
            std::fill_n(shifted, rows, s);
            for (int r = 0; r < rows; r++) {
                scale[r] = std::clamp(centre[r] + change, 0, f.n_scales - 1);
                step[r] = t.step(span.first, scale[r], r);
            }
            round_span(t, span, x, step, common_shift ? shifted : nullptr, trial, trial_cost);
            for (int r = 0; r < rows; r++) {
                if (!(trial_cost[r] < cost[r])) continue;
                cost[r] = trial_cost[r];
                best.scale[r] = scale[r];
                for (int o = 0; o < span.n_octets; o++) best.octets[o].take_row(r, trial[o]);
            }
        }
}

Eigen::Map<const TileMatrix> values(const Octet& o) { return {o.q[0], octet, rows}; }

void round_forward(Tile& t) {
    const int64_t n = t.metric.n();
    const Matrix& u = t.metric.u;
    const bool feedback = u.size() > 0;
    const int sub = t.format.sub;
    for (int64_t panel = 0; panel < n; panel += block) {
        t.target = t.w.middleRows(panel, block);
        if (panel > 0 && feedback)
            t.target.noalias() += u.block(0, panel, panel, block).transpose() * t.e.topRows(panel);
        for (int64_t first = panel; first < panel + block; first += sub) {
            SubBlock& best = t.sub_at(first);
            float cost[rows];
            std::fill_n(cost, rows, INFINITY);
            const Span span{first, sub / octet, t.metric, first};
            try_scales(t, span, t.target.row(first - panel).data(), first_scales, best, cost);
            for (int o = 0; o < span.n_octets; o++)
                t.e.middleRows(first + o * octet, octet) =
                    t.w.middleRows(first + o * octet, octet) - values(best.octets[o]);
            const int64_t after = first + sub, left = panel + block - after;
            if (left > 0 && feedback)
                t.target.bottomRows(left).noalias() +=
                    u.block(first, after, sub, left).transpose() * t.e.middleRows(first, sub);
        }
    }
}

/// The form (u, d) of a part of H, and the part itself inverted.
struct LocalMetric {
    Metric metric;
    Eigen::LLT<Matrix> inverse;

    explicit LocalMetric(const Matrix& h) : inverse(h) {
        const int64_t n = h.rows();
        const Eigen::LLT<Matrix> reversed(h.reverse());
        metric.u = Matrix(reversed.matrixL()).reverse();
        metric.d.resize(static_cast<size_t>(n));
        for (int64_t j = 0; j < n; j++) {
            const float pivot = metric.u(j, j);
            metric.d[static_cast<size_t>(j)] = pivot * pivot;
            metric.u.col(j) /= pivot;
        }
        metric.u.diagonal().setZero();
    }
};

/// Coordinate descent in one block: `g` = H e for its columns, kept true as things change.
struct Descent {
    Tile& t;
    int64_t panel;
    TileMatrix g;

    /// Columns first … of Q change by `change` [n, rows].
    void apply(int64_t first, const TileMatrix& change) {
        t.e.middleRows(first, change.rows()) -= change;
        g.noalias() -= t.metric.h.block(panel, first, block, change.rows()) * change;
    }

    TileMatrix stored(int64_t first, int64_t n) const { return t.w.middleRows(first, n) - t.e.middleRows(first, n); }

    void refit_d();
    void refit_sub(int64_t first, const LocalMetric& local);
    void refit_octet(int64_t first, const LocalMetric& local);
};

/// d to its best value. Half precision is coarse: only if it is nearer to the wish than what stands.
void Descent::refit_d() {
    PerRow& d = t.d[static_cast<size_t>(panel / block)];
    TileMatrix v = stored(panel, block);
    for (int r = 0; r < rows; r++) v.col(r) *= d(r) > 0 ? 1 / d(r) : 0;
    const TileMatrix hv = t.metric.h.block(panel, panel, block, block) * v;
    const PerRow curvature = v.cwiseProduct(hv).colwise().sum().array();
    const PerRow slope = v.cwiseProduct(g).colwise().sum().array();
    PerRow change = PerRow::Zero();
    for (int r = 0; r < rows; r++) {
        const float wish = curvature(r) > 0 ? slope(r) / curvature(r) : 0, now = half(d(r) + wish);
        if (!std::isfinite(now) || now <= 0 || std::abs(now - d(r) - wish) >= std::abs(wish)) continue;
        change(r) = now - d(r);
        d(r) = now;
    }
    for (int64_t first = panel; first < panel + block; first += t.format.sub)
        for (int o = 0; o < t.format.sub / octet; o++) {
            Eigen::Map<TileMatrix> q(t.sub_at(first).octets[o].q[0], octet, rows);
            q.array() += v.middleRows(first - panel + o * octet, octet).array().rowwise() * change;
        }
    v.array().rowwise() *= change;
    apply(panel, v);
}

/// A sub-block once more, with scales near the one that stands.
void Descent::refit_sub(int64_t first, const LocalMetric& local) {
    const int sub = t.format.sub;
    const TileMatrix was = stored(first, sub), slope = g.middleRows(first - panel, sub);
    const TileMatrix wish = local.inverse.solve(slope), x = was + wish;
    PerRow cost = wish.cwiseProduct(slope).colwise().sum().array();
    SubBlock& best = t.sub_at(first);
    try_scales(t, {first, sub / octet, local.metric, 0}, x.data(), later_scales, best, cost.data());
    TileMatrix change(sub, rows);
    for (int o = 0; o < sub / octet; o++) change.middleRows(o * octet, octet) = values(best.octets[o]);
    change -= was;
    apply(first, change);
}

/// Eight weights once more, the scale as it stands, the shift too unless it is theirs alone.
void Descent::refit_octet(int64_t first, const LocalMetric& local) {
    const TileMatrix was = stored(first, octet), slope = g.middleRows(first - panel, octet);
    const TileMatrix wish = local.inverse.solve(slope), x = was + wish;
    const PerRow cost = wish.cwiseProduct(slope).colwise().sum().array();
    SubBlock& sub = t.sub_at(first);
    Octet& best = sub.octets[first % t.format.sub / octet];
    Octet trial;
    float step[rows], trial_cost[rows];
    for (int r = 0; r < rows; r++) step[r] = t.step(first, sub.scale[r], r);
    const int32_t* shifted = t.format.shift_span > octet ? best.shifted : nullptr;
    round_span(t, {first, 1, local.metric, 0}, x.data(), step, shifted, &trial, trial_cost);
    for (int r = 0; r < rows; r++)
        if (trial_cost[r] < cost(r)) best.take_row(r, trial);
    apply(first, values(best) - was);
}

/// The metrics of all sub-blocks and octets of a row.
struct LocalMetrics {
    std::vector<LocalMetric> subs, octets;

    LocalMetrics(const Matrix& h, int sub) {
        for (int64_t j = 0; j < h.rows(); j += sub) subs.emplace_back(h.block(j, j, sub, sub));
        for (int64_t j = 0; j < h.rows(); j += octet) octets.emplace_back(h.block(j, j, octet, octet));
    }
};

void sweep(Tile& t, const LocalMetrics& local) {
    const int sub = t.format.sub;
    for (int64_t panel = 0; panel < t.metric.n(); panel += block) {
        Descent descent{t, panel, t.metric.h.middleRows(panel, block) * t.e};
        descent.refit_d();
        for (int64_t first = panel; first < panel + block; first += sub) {
            descent.refit_sub(first, local.subs[static_cast<size_t>(first / sub)]);
            for (int64_t o = first; o < first + sub; o += octet)
                descent.refit_octet(o, local.octets[static_cast<size_t>(o / octet)]);
        }
    }
}

void pack_row(Tile& t, int r, std::byte* out) {
    const CodebookFormat& f = t.format;
    const int sub_octets = f.sub / octet, halves = octet / f.width;
    for (size_t b = 0; b < t.d.size(); b++, out += ggml_type_size(f.type)) {
        CodebookBlock packed;
        packed.d = ggml_fp32_to_fp16(t.d[b](r));
        const SubBlock* subs = t.subs.data() + b * static_cast<size_t>(f.n_subs());
        for (int s = 0; s < f.n_subs(); s++)
            packed.scale[static_cast<size_t>(s)] = static_cast<uint8_t>(subs[s].scale[r]);
        for (int o = 0; o < block / octet; o++) {
            const Octet& from = subs[o / sub_octets].octets[o % sub_octets];
            const auto at = static_cast<size_t>(o);
            for (int i = 0; i < halves; i++)
                packed.entry[at * static_cast<size_t>(halves) + static_cast<size_t>(i)] =
                    static_cast<uint16_t>(from.entry[i][r]);
            packed.signs[at] = static_cast<uint8_t>(from.signs[r]);
            packed.shifted[at] = static_cast<uint8_t>(from.shifted[r]);
        }
        pack(f, packed, out);
    }
}

/// e H e' of each row, in double. @param q  [n_rows, n]
Eigen::ArrayXd row_errors(const Metric& metric, const float* w, const Matrix& q) {
    const Matrix error = Eigen::Map<const Matrix>(w, q.rows(), q.cols()) - q;
    Matrix weighted;
    if (metric.h.size() > 0)
        weighted.noalias() = error * metric.h;
    else
        weighted = error * Eigen::Map<const Eigen::VectorXf>(metric.d.data(), metric.n()).asDiagonal();
    return error.cast<double>().cwiseProduct(weighted.cast<double>()).rowwise().sum().array();
}

void round_by_codebook(const CodebookFormat& format, const Metric& metric, const float* source, int64_t n_rows,
                       const FeedbackOptions& options, std::byte* out) {
    const int64_t n = metric.n();
    const auto row_bytes = static_cast<int64_t>(ggml_row_size(format.type, n));
    // The engine's own rounding: where scales start, and what no row may fall behind.
    std::vector<std::byte> mine(static_cast<size_t>(row_bytes * n_rows));
    round_rows(format.type, source, n_rows, n, metric.d.data(), out);

    Tile tile(format, metric, source, n_rows);
    take_scales(tile, out, n_rows);
    round_forward(tile);
    if (metric.h.size() > 0 && options.sweeps > 0) {
        const LocalMetrics local(metric.h, format.sub);
        for (int i = 0; i < options.sweeps; i++) sweep(tile, local);
    }
    for (int64_t r = 0; r < n_rows; r++) pack_row(tile, static_cast<int>(r), mine.data() + r * row_bytes);

    Matrix theirs_means(n_rows, n), mine_means(n_rows, n);
    to_float(format.type, out, theirs_means.data(), n_rows * n);
    to_float(format.type, mine.data(), mine_means.data(), n_rows * n);
    const Eigen::ArrayXd theirs_error = row_errors(metric, source, theirs_means);
    const Eigen::ArrayXd mine_error = row_errors(metric, source, mine_means);
    for (int64_t r = 0; r < n_rows; r++) {
        if (!(mine_error(r) < theirs_error(r))) continue;
        std::copy_n(mine.data() + r * row_bytes, row_bytes, out + r * row_bytes);
        theirs_means.row(r) = mine_means.row(r);
    }
}

void round_by_engine(ggml_type type, const Metric& metric, const float* rows_in, int64_t n_rows, std::byte* out) {
    const int64_t n = metric.n(), width = ggml_blck_size(type);
    const size_t row_bytes = ggml_row_size(type, n), block_bytes = ggml_type_size(type);
    const Eigen::Map<const Matrix> w(rows_in, n_rows, n);
    Matrix error(n_rows, n), target;
    std::vector<float> back(static_cast<size_t>(width));
    for (int64_t first = 0; first < n; first += width) {
        target = w.middleCols(first, width);
        if (first > 0 && metric.u.size() > 0)
            target.noalias() += error.leftCols(first) * metric.u.block(0, first, first, width);
        for (int64_t r = 0; r < n_rows; r++) {
            std::byte* to = out + static_cast<size_t>(r) * row_bytes + static_cast<size_t>(first / width) * block_bytes;
            round_rows(type, target.row(r).data(), 1, width, metric.d.data() + first, to);
            to_float(type, to, back.data(), width);
            error.row(r).segment(first, width) =
                w.row(r).segment(first, width) - Eigen::Map<const Eigen::RowVectorXf>(back.data(), width);
        }
    }
}

}  // namespace

void round_tile_by_blocks(ggml_type type, const Metric& metric, const float* source, int64_t n_rows,
                          const FeedbackOptions& options, std::byte* out) {
    if (const CodebookFormat* format = codebook_format(type))
        round_by_codebook(*format, metric, source, n_rows, options, out);
    else
        round_by_engine(type, metric, source, n_rows, out);
}

}  // namespace ech0
