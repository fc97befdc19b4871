#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ech0/session.h"

namespace ech0 {

/// A context of its own in which caches are made, put back and read on from.
class Replay {
public:
    /// Called with the queries of a layer, turned by position: [n_tokens, n_head, d_k], positions first….
    using TakeQueries = std::function<void(int64_t layer, int64_t first, const float* q, int64_t n_tokens)>;

    /// @param session  whose model is run; must outlive this
    /// @throws EngineError if the engine can't make such a context
    Replay(Session& session, int64_t n_ctx, const std::string& type, int n_threads);
    Replay(Replay&&) = delete;

    /// Start over, read the tokens. @return the cache, as llama_state_seq_get_data writes it
    std::string prefill(std::span<const int32_t> tokens, const TakeQueries& take = {});

    /// Put a cache back. @throws EngineError if the engine refuses it
    void restore(std::span<const uint8_t> cache);

    /// Read on. @return logits of all of them, [tokens.size(), n_vocab], valid until the next call
    std::span<const float> read_on(std::span<const int32_t> tokens);

    /// Forget what follows position n.
    void forget_from(int64_t n);

    int64_t n_vocab() const { return n_vocab_; }

private:
    static bool on_eval(ggml_tensor* tensor, bool ask, void* self);
    void decode(std::span<const int32_t> tokens, bool logits);

    int64_t n_vocab_ = 0, n_past_ = 0, n_batch_ = 512, n_ctx_ = 0;
    TakeQueries take_;
    std::vector<float> queries_, logits_;
    llama_context_ptr ctx_;
};

}  // namespace ech0
