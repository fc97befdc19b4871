#include "compress/octet.h"

#include <algorithm>
#include <cmath>

namespace ech0 {
namespace {

constexpr int rows = static_cast<int>(tile_rows);

}  // namespace

void Octet::take_row(int64_t r, const Octet& from) {
    for (int i = 0; i < 2; i++) entry[i][r] = from.entry[i][r];
    signs[r] = from.signs[r];
    shifted[r] = from.shifted[r];
    for (int i = 0; i < octet; i++) q[i][r] = from.q[i][r];
}

void OctetRounder::decode(const float* step, Octet& out) const {
    const int width = format_.width;
    for (int i = 0; i < octet; i++) {
        const int32_t* entry = out.entry[i < width ? 0 : 1];
        for (int r = 0; r < rows; r++) {
            const float q = format_.entries[static_cast<size_t>(entry[r] * width + i % width)];
            const float shift = out.shifted[r] != 0 ? -format_.shift : format_.shift;
            out.q[i][r] = step[r] * ((out.signs[r] >> i & 1) != 0 ? -q : q + shift);
        }
    }
}

void OctetRounder::round_whole(const Metric& metric, int64_t first, const float* x, const float* step,
                               const int32_t* shifted, Octet& out, float* cost) {
    const Parity parity = format_.signs == EntrySigns::even ? Parity::even : Parity::any;
    float best[rows], moved[octet * rows];
    int32_t shift[rows];
    std::fill_n(best, rows, INFINITY);
    search_.aim_at(metric, first);
    const bool either = format_.shift_span > 0 && shifted == nullptr;
    for (const int s : {0, 1}) {
        if (s == 1 && !either) break;
        for (int r = 0; r < rows; r++) shift[r] = s == 1 || (shifted != nullptr && shifted[r] != 0);
        for (int i = 0; i < octet; i++)
            for (int r = 0; r < rows; r++)
                moved[i * rows + r] = x[i * rows + r] - step[r] * (shift[r] != 0 ? -format_.shift : format_.shift);
        search_.find(moved, step, parity, found_);
        for (int r = 0; r < rows; r++) {
            const bool better = found_.cost[r] < best[r];
            best[r] = better ? found_.cost[r] : best[r];
            out.entry[0][r] = better ? found_.entry[r] : out.entry[0][r];
            out.signs[r] = better ? found_.signs[r] : out.signs[r];
            out.shifted[r] = better ? shift[r] : out.shifted[r];
        }
    }
    for (int r = 0; r < rows; r++) cost[r] += best[r];
}

/// Two entries of four weights. Where eight signs have a parity, both ways of dividing it between the two are tried.
void OctetRounder::round_halves(const Metric& metric, int64_t first, const float* x, const float* step, Octet& out,
                                float* cost) {
    const bool even = format_.signs == EntrySigns::even;
    float best[rows], later[4 * rows];
    std::fill_n(best, rows, INFINITY);
    for (const Parity parity : {even ? Parity::even : Parity::any, Parity::odd}) {
        if (!even && parity == Parity::odd) break;
        search_.aim_at(metric, first);
        search_.find(x, step, parity, found_);
        std::copy_n(x + 4 * rows, 4 * rows, later);
        if (metric.u.size() > 0)
            for (int i = 0; i < 4; i++)
                for (int r = 0; r < rows; r++) {
                    const float q = format_.entries[static_cast<size_t>(found_.entry[r] * 4 + i)];
                    const float error = x[i * rows + r] - step[r] * ((found_.signs[r] >> i & 1) != 0 ? -q : q);
                    for (int j = 0; j < 4; j++) later[j * rows + r] += metric.u(first + i, first + 4 + j) * error;
                }
        search_.aim_at(metric, first + 4);
        search_.find(later, step, parity, second_);
        for (int r = 0; r < rows; r++) {
            const float sum = found_.cost[r] + second_.cost[r];
            const bool better = sum < best[r];
            best[r] = better ? sum : best[r];
            out.entry[0][r] = better ? found_.entry[r] : out.entry[0][r];
            out.entry[1][r] = better ? second_.entry[r] : out.entry[1][r];
            out.signs[r] = better ? found_.signs[r] | second_.signs[r] << 4 : out.signs[r];
        }
    }
    for (int r = 0; r < rows; r++) cost[r] += best[r];
}

void OctetRounder::round(const Metric& metric, int64_t first, const float* x, const float* step, const int32_t* shifted,
                         Octet& out, float* cost) {
    std::fill_n(out.entry[0], 2 * rows, 0);
    std::fill_n(out.signs, rows, 0);
    std::fill_n(out.shifted, rows, 0);
    if (format_.width == octet)
        round_whole(metric, first, x, step, shifted, out, cost);
    else
        round_halves(metric, first, x, step, out, cost);
    decode(step, out);
}

}  // namespace ech0
