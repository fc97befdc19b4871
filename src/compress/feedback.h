#pragma once

// Rounding that knows the data. A tile of rows is rounded column by column; each column aims at the value that also
// makes up for the errors already made in the columns before it, as far as the inputs of the two go together
// (compress/metric.h). Scales are searched where the block begins, again where the sub-block begins (both with the
// errors so far made up for), and after the last column everything is refined by coordinate descent on e H e' itself:
// levels, sub-block scales and mins, the block's d and dmin, each to its best value while the others stand.

#include <ggml.h>

#include <cstddef>
#include <cstdint>

#include "compress/metric.h"
#include "compress/rounding_options.h"

namespace ech0 {

/// Rows that are rounded together: a few vector registers wide.
constexpr int64_t tile_rows = 64;

/// Does this type's rounding go column by column? Others (codebooks) are rounded block by block.
bool has_feedback(ggml_type type);

/// Rows of a tensor, or some columns of them: where they are, and where their blocks go.
struct TileRows {
    const float* rows = nullptr;  ///< [n_rows, metric.n()], `stride` floats from row to row
    int64_t stride = 0, n_rows = 0;
    std::byte* out = nullptr;  ///< ggml_row_size(type, metric.n()) bytes per row, `out_stride` bytes from row to row
    size_t out_stride = 0;
};

/// Round at most tile_rows rows in a type so that (W - Q) H (W - Q)' is small.
void round_tile(ggml_type type, const Metric& metric, const TileRows& tile, const FeedbackOptions& options);

/// (W - Q) H (W - Q)' summed over rows, in double. @param a, b  [n_rows, n]
double quadratic_error(const Matrix& h, const float* a, const float* b, int64_t n_rows);

/// The same of the difference itself, [n_rows, n].
double quadratic_error(const Matrix& h, const Matrix& error);

}  // namespace ech0
