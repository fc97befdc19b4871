#pragma once

#include "compress/feedback.h"

namespace ech0 {

/// round_tile for types whose blocks are not levels on a line (IQ1_S … IQ3_S, MXFP4): the engine's own search rounds a
/// block at a time, each block aiming at what also makes up for the errors in the blocks before it.
void round_tile_by_blocks(ggml_type type, const Metric& metric, const float* rows, int64_t n_rows, std::byte* out,
                          float* decoded);

}  // namespace ech0
