#include "compress/entry_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace ech0 {
namespace {

constexpr int rows = static_cast<int>(tile_rows);

// Entries side by side in a table, so that one load of a row's number serves several.
constexpr int side = 4;

// Sixteen rows; a compiler for narrower registers splits it.
using Lane = float __attribute__((vector_size(64)));
using LaneInt = int32_t __attribute__((vector_size(64)));
constexpr int lane = 16, lanes_at_once = 2;

/// Lowers cost[r] to the least sum over f of table[e][f] x row[f][r], where that is lower, and notes e.
template <int n_features>
void least_product(const float* table, int n_entries, const float* row, float* cost, int32_t* entry) {
    for (int e = 0; e < n_entries; e += side, table += side * n_features)
        for (int r = 0; r < rows; r += lane * lanes_at_once) {
            Lane sum[side][lanes_at_once] = {};
            for (int f = 0; f < n_features; f++)
                for (int l = 0; l < lanes_at_once; l++) {
                    const Lane x = *reinterpret_cast<const Lane*>(row + f * rows + r + l * lane);
                    for (int i = 0; i < side; i++) sum[i][l] += table[f * side + i] * x;
                }
            for (int l = 0; l < lanes_at_once; l++) {
                Lane& best = *reinterpret_cast<Lane*>(cost + r + l * lane);
                LaneInt& at = *reinterpret_cast<LaneInt*>(entry + r + l * lane);
                for (int i = 0; i < side; i++) {
                    const LaneInt better = sum[i][l] < best;
                    best = better ? sum[i][l] : best;
                    at = better ? (LaneInt{} + (e + i)) : at;
                }
            }
        }
}

/// The signs of x, but where their parity is not the wanted one, without the sign that is cheapest to get wrong. That
/// costs 4 |x| s q m: in proportion to |x| m while q is not known.
void choose_signs(const float* x, int width, const float (&m)[8][8], Parity parity, int32_t* signs) {
    float least[rows];
    int32_t cheapest[rows] = {};
    std::fill_n(least, rows, INFINITY);
    std::fill_n(signs, rows, 0);
    for (int i = 0; i < width; i++)
        for (int r = 0; r < rows; r++) {
            const float v = x[i * rows + r], price = std::abs(v) * m[i][i];
            signs[r] |= v < 0 ? 1 << i : 0;
            cheapest[r] = price < least[r] ? 1 << i : cheapest[r];
            least[r] = std::min(least[r], price);
        }
    if (parity == Parity::any) return;
    const int wanted = parity == Parity::odd ? 1 : 0;
    for (int r = 0; r < rows; r++)
        if (std::popcount(static_cast<uint32_t>(signs[r])) % 2 != wanted) signs[r] ^= cheapest[r];
}

}  // namespace

EntrySearch::EntrySearch(const CodebookFormat& format) : format_(format), width_(format.width) {
    const int n = format.n_entries(), n_features = width_ + width_ * (width_ + 1) / 2;
    full_.resize(static_cast<size_t>(n * n_features));
    short_.resize(static_cast<size_t>(n * (width_ + 1)));
    for (int e = 0; e < n; e++) {
        const float* q = format.entries.data() + e * width_;
        float* full = full_.data() + e / side * side * n_features + e % side;
        float* brief = short_.data() + e / side * side * (width_ + 1) + e % side;
        for (int i = 0; i < width_; i++) full[i * side] = brief[i * side] = q[i];
        full += width_ * side;
        for (int i = 0; i < width_; i++)
            for (int j = i; j < width_; j++, full += side) *full = q[i] * q[j];
    }
}

void EntrySearch::aim_at(const Metric& metric, int64_t first) {
    const bool diagonal = metric.u.size() == 0;
    std::fill_n(&m_[0][0], 64, 0.0F);
    for (int k = 0; k < width_; k++)
        for (int i = 0; i <= k; i++)
            for (int j = 0; j <= k; j++) {
                const float a = i == k ? 1 : diagonal ? 0 : metric.u(first + i, first + k);
                const float b = j == k ? 1 : diagonal ? 0 : metric.u(first + j, first + k);
                m_[i][j] += a * b * metric.d[static_cast<size_t>(first + k)];
            }
    shared_ = diagonal || format_.signs == EntrySigns::in_entry;
    if (!shared_) return;
    const int n = format_.n_entries();
    for (int e = 0; e < n; e++) {
        const float* q = format_.entries.data() + e * width_;
        float sum = 0;
        for (int i = 0; i < width_; i++) {
            float mq = 0;
            for (int j = 0; j < width_; j++) mq += m_[i][j] * q[j];
            sum += q[i] * mq;
        }
        short_[static_cast<size_t>((e / side * (width_ + 1) + width_) * side + e % side)] = sum;
    }
}

void EntrySearch::score(const float* step, Nearest& nearest) {
    float sign[8][rows];
    for (int i = 0; i < width_; i++)
        for (int r = 0; r < rows; r++) {
            sign[i][r] = (nearest.signs[r] >> i & 1) != 0 ? -1.0F : 1.0F;
            row_[i][r] = -2 * step[r] * xm_[i][r] * sign[i][r];
        }
    const int n = format_.n_entries();
    if (shared_) {
        for (int r = 0; r < rows; r++) row_[width_][r] = step[r] * step[r];
        const auto product = width_ == 8 ? least_product<9> : least_product<5>;
        product(short_.data(), n, row_[0], nearest.cost, nearest.entry);
        return;
    }
    int f = width_;
    for (int i = 0; i < width_; i++)
        for (int j = i; j < width_; j++, f++) {
            const float m = i == j ? m_[i][i] : 2 * m_[i][j];
            for (int r = 0; r < rows; r++) row_[f][r] = m * step[r] * step[r] * sign[i][r] * sign[j][r];
        }
    const auto product = width_ == 8 ? least_product<44> : least_product<14>;
    product(full_.data(), n, row_[0], nearest.cost, nearest.entry);
}

void EntrySearch::find(const float* x, const float* step, Parity parity, Nearest& nearest) {
    std::fill_n(xmx_, rows, 0.0F);
    for (int i = 0; i < width_; i++) {
        std::fill_n(xm_[i], rows, 0.0F);
        for (int j = 0; j < width_; j++)
            for (int r = 0; r < rows; r++) xm_[i][r] += m_[i][j] * x[j * rows + r];
        for (int r = 0; r < rows; r++) xmx_[r] += xm_[i][r] * x[i * rows + r];
    }
    std::fill_n(nearest.cost, rows, INFINITY);
    std::fill_n(nearest.entry, rows, 0);
    if (format_.signs == EntrySigns::in_entry)
        std::fill_n(nearest.signs, rows, 0);
    else
        choose_signs(x, width_, m_, parity, nearest.signs);
    score(step, nearest);
    for (int r = 0; r < rows; r++) nearest.cost[r] += xmx_[r];
}

}  // namespace ech0
