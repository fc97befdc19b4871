#pragma once

// round_tile for types whose blocks are not levels on a line (IQ1_S … IQ3_S, MXFP4). A codebook's tile is rounded
// sub-block by sub-block and in it group by group, each group to the entry that is nearest, in the metric of its own
// columns, to what also makes up for all errors before it. A sub-block is rounded with several scales and the best is
// kept. Refinement is the same again with everything else known: a sub-block's (or eight weights') own part of H takes
// the place of the metric, and what is aimed at makes up for all other columns, before and after.

#include "compress/feedback.h"

namespace ech0 {

/// As round_tile. A row of a codebook type has never more error than the engine's own rounding of it weighted by
/// metric.d. MXFP4: the engine's search rounds a block at a time, each aiming at what makes up for those before it.
void round_tile_by_blocks(ggml_type type, const Metric& metric, const float* rows, int64_t n_rows,
                          const FeedbackOptions& options, std::byte* out);

}  // namespace ech0
