#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <span>
#include <vector>

#include "ech0/session.h"

namespace ech0 {

/// Several token sequences that are decoded together and don't see each other: the weights are read once per step for
/// all of them, so that many cost little more than one. All of them take part in every step, since another number of
/// tokens may mean another rounding: the same sequences give the same bits.
class Sequences {
public:
    /// @param session  whose model is run; it must outlive this object
    /// @param n_ctx  tokens that each sequence has room for
    /// @throws EngineError if the engine can't make such a context
    Sequences(Session& session, int64_t n_sequences, int64_t n_ctx, int n_threads);

    /// Append tokens[s], at least one, to sequence s.
    /// @return the logits after the last token of each, row-major [n_sequences, n_vocab], valid until the next call
    /// @throws UsageError if a sequence gets nothing or overflows, or a token is outside the vocabulary; Interrupted
    std::span<const float> decode(std::span<const std::vector<int32_t>> tokens);

private:
    void check(std::span<const std::vector<int32_t>> tokens) const;
    void run(std::span<const std::vector<int32_t>> tokens, int32_t n_tokens);

    int64_t n_vocab_ = 0, n_ctx_ = 0;
    llama_context_ptr ctx_;
    std::vector<int64_t> n_past_;  // [n_sequences]
    std::vector<float> logits_;
};

}  // namespace ech0
