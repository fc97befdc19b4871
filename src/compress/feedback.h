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

namespace ech0 {

struct FeedbackOptions {
    int sweeps = 2;  ///< of coordinate descent; 0: error feedback alone
};

/// Rows that are rounded together: a few vector registers wide.
constexpr int64_t tile_rows = 64;

/// Does this type's rounding go column by column? Others (codebooks) are rounded block by block.
bool has_feedback(ggml_type type);

/// Round rows of a tensor in a type so that (W - Q) H (W - Q)' is small.
/// @param rows  [n_rows, metric.n()], at most tile_rows of them
/// @param out  ggml_row_size(type, n) bytes per row
/// @param decoded  [n_rows, n] what the stored rows mean; may be nullptr
void round_tile(ggml_type type, const Metric& metric, const float* rows, int64_t n_rows, const FeedbackOptions& options,
                std::byte* out, float* decoded);

/// (W - Q) H (W - Q)' summed over rows, in double. @param a, b  [n_rows, n]
double quadratic_error(const Matrix& h, const float* a, const float* b, int64_t n_rows);

}  // namespace ech0
