#pragma once

// The codebook's entry nearest to a group of weights, for all rows of a tile at once. Near is meant in a full metric
// M [width, width] that the rows share: (x - s q) M (x - s q)' = x M x' - 2 s (x M) q' + s^2 q M q', which for given
// signs is a scalar product of a row's few numbers with the entry's values and products of two values. So one matrix
// product, entries by rows, gives the cost of every entry: exact, no maps of neighbours to build, and at most 45,000
// multiplications per group. The signs are those of x: trying others near them gained nothing (less than 0.5 % of the
// error on random rows, either way) and costs as much again per pattern.

#include <cstdint>
#include <vector>

#include "compress/codebook_format.h"
#include "compress/feedback.h"
#include "compress/metric.h"

namespace ech0 {

enum class Parity { any, even, odd };  ///< of the number of minus signs in a group

/// The best per row.
struct Nearest {
    alignas(64) float cost[tile_rows];     ///< (x - s q) M (x - s q)'
    alignas(64) int32_t entry[tile_rows];  ///< index
    alignas(64) int32_t signs[tile_rows];  ///< bit i: weight i is negative
};

class EntrySearch {
public:
    explicit EntrySearch(const CodebookFormat& format);

    /// Groups that begin at column `first` of a metric: M = (1 + u) d (1 + u)' of its columns.
    void aim_at(const Metric& metric, int64_t first);

    /// @param x  [width, tile_rows]; @param step  [tile_rows] the s above, not negative
    void find(const float* x, const float* step, Parity parity, Nearest& nearest);

private:
    void score(const float* step, Nearest& nearest);

    const CodebookFormat& format_;
    const int width_;
    bool shared_ = false;  // q M q' does not depend on signs, so it is one number per entry for all rows
    float m_[8][8] = {};
    std::vector<float> full_;   // [n_entries / 4, features, 4]: values, then products of two
    std::vector<float> short_;  // [n_entries / 4, width + 1, 4]: values, then q M q'
    alignas(64) float xm_[8][tile_rows];
    alignas(64) float xmx_[tile_rows];
    alignas(64) float row_[44][tile_rows];  // what the table is multiplied with
};

}  // namespace ech0
