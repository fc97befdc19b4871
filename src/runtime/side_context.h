#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <span>
#include <vector>

#include "ech0/session.h"

namespace ech0 {

/// Another context on the weights of a session, which are loaded once: the same model with another cache. It reads one
/// sequence from its beginning. The session must outlive it; its own context is not touched.
class SideContext {
public:
    /// @param model  the one that the session was made of
    /// @throws EngineError if the engine can't make such a context; UsageError for bad options
    SideContext(const Session& weights, const Model& model, const SessionOptions& options);

    int64_t n_past() const { return n_past_; }
    int64_t n_vocab() const { return n_vocab_; }

    /// Append tokens, as Session::decode does.
    /// @return logits [tokens.size() - first_logit, n_vocab], valid until the next call
    /// @throws UsageError if the context overflows or a token is outside the vocabulary; Interrupted
    std::span<const float> decode(std::span<const int32_t> tokens, int64_t first_logit);

private:
    void run(std::span<const int32_t> tokens, int64_t first_logit);

    llama_context_ptr ctx_;
    int64_t n_past_ = 0, n_vocab_ = 0, n_batch_ = 0;
    std::vector<float> logits_;
};

}  // namespace ech0
