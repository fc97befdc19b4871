#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/segment.h"

namespace ech0 {

/// What one run of a segment shows of one product: the inputs of its weight, and the stream before a node.
struct Seen {
    std::vector<float> x, stream;  ///< [n_rows, n_cols], [n_tokens, n_embd]
    std::vector<int64_t> matrix;   ///< [n_rows] which expert's row; empty for plain weights
    int64_t n_rows = 0, n_cols = 0;
};

/// Run the segment up to the product with `tensor` and no further.
/// @param node  also the values of this node of the graph, such as "ffn_inp", if it comes before; "": none
Seen look(Segment& segment, const SegmentInput& input, const std::string& tensor, const std::string& node = "");

}  // namespace ech0
