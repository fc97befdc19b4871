#pragma once

#include "compress/feedback.h"

namespace ech0 {

/// The one product that rounding spends its time on: out[k] += factor x sum_j a[j][k] in[j], where in[j] and out[k] are
/// lanes, one value for each of tile_rows rows. A general matrix library packs and blocks for large operands; here one
/// side is always 64 wide, and a kernel of 4 x 64 sums in registers runs three times as fast.
/// @param a  [n_in, n_out] with `stride` floats from row to row; @param in  [n_in, tile_rows]
/// @param out  [n_out, tile_rows]
void add_products_of_lanes(const float* a, int64_t stride, const float* in, int64_t n_in, float factor, float* out,
                           int64_t n_out);

}  // namespace ech0
