#pragma once

#include <cstdint>
#include <string_view>

#include "ech0/model.h"
#include "runtime/walk.h"

namespace ech0 {

/// A text cut into token sequences, in two parts that share no token: what statistics are gathered on, and what
/// choices between plans are judged on. (The final proof uses another text altogether.)
struct CalibrationChunks {
    Chunks statistics;
    Chunks selection;
    int64_t n_ctx = 0;
    int64_t n_tokens() const { return static_cast<int64_t>(statistics.size()) * n_ctx; }
};

/// Every `selection_every`-th chunk of n_ctx tokens goes to the selection, so that both parts see every kind of text.
/// Each chunk begins with BOS where the model wants one, as llama-imatrix does.
/// @throws UsageError if the text has fewer than `selection_every` chunks
CalibrationChunks cut_into_chunks(const Model& model, std::string_view text, int64_t n_ctx);

/// At most n of the chunks, evenly spread.
Chunks spread_chunks(const Chunks& all, int64_t n);

/// The beginning of each chunk, n_tokens together: short pieces from all over a text.
Chunks probe_chunks(const Chunks& selection, int64_t n_tokens);

}  // namespace ech0
