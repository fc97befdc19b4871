#pragma once

// Eight weights of each row of a tile: the least that can be rounded alone once the scale stands. With entries of eight
// weights that is one entry, its signs and perhaps a shift; with entries of four it is two of them and a byte of signs.

#include <cstdint>

#include "compress/codebook_format.h"
#include "compress/entry_search.h"
#include "compress/feedback.h"
#include "compress/metric.h"

namespace ech0 {

constexpr int octet = CodebookFormat::octet;

/// How eight weights are stored, for each row, and what that means.
struct Octet {
    int32_t entry[2][tile_rows], signs[tile_rows], shifted[tile_rows];  // as in CodebookBlock
    float q[octet][tile_rows];

    void take_row(int64_t r, const Octet& from);
};

/// Rounds eight weights, each group of them with feedback to the next.
class OctetRounder {
public:
    explicit OctetRounder(const CodebookFormat& format) : format_(format), search_(format) {}

    /// @param metric  of which columns first … first + 7 are those of the octet
    /// @param x  [octet, tile_rows] what is aimed at; @param cost  [tile_rows] grows by what remains
    /// @param shifted  [tile_rows] 0 or 1; nullptr: either, whatever is better (where an octet has a shift of its own)
    void round(const Metric& metric, int64_t first, const float* x, const float* step, const int32_t* shifted,
               Octet& out, float* cost);

private:
    void round_whole(const Metric& metric, int64_t first, const float* x, const float* step, const int32_t* shifted,
                     Octet& out, float* cost);
    void round_halves(const Metric& metric, int64_t first, const float* x, const float* step, Octet& out, float* cost);
    void decode(const float* step, Octet& out) const;

    const CodebookFormat& format_;
    EntrySearch search_;
    Nearest found_, second_;
};

}  // namespace ech0
