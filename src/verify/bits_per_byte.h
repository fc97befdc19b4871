#pragma once

#include "ech0/model.h"
#include "verify/evaluation_text.h"

namespace ech0 {

/// How well a model predicts a text, whatever its tokens are: what compares models of different vocabularies.
struct BitsPerByte {
    double bits_per_byte = 0;  ///< -sum log2 p(token) / sum bytes of those tokens
    int64_t n_bytes = 0;       ///< of the text that was scored: the second half of every chunk, as for perplexity
};

/// @param n_chunks  at most so many of n_ctx tokens; 0 = all
/// @throws UsageError (a text shorter than one chunk), EngineError, Interrupted
BitsPerByte measure_bits_per_byte(const Model& model, const EvaluationText& text, int64_t n_ctx, int64_t n_chunks,
                                  int n_threads);

}  // namespace ech0
