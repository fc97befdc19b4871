#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ech0/model.h"

struct ggml_tensor;

namespace ech0 {

/// Layers that another machine holds and computes, a worker of the engine's RPC backend (ggml-rpc-server).
struct RemoteShare {
    std::string endpoint;  ///< "192.168.1.7:50052"
    int64_t device = 0;    ///< of the worker's, if it has several
    int64_t n_layer = 0;   ///< how many; the output matrix counts as one
};

struct SessionOptions {
    int64_t n_ctx = 0;           ///< tokens of context; 0 = the model's own, at most 4096
    int64_t n_batch = 512;       ///< tokens per engine call
    int64_t n_outputs = 0;       ///< most logits wanted of one batch, which buffers are made for; 0 = n_batch
    int n_threads = 0;           ///< 0 = all cores this process may use
    bool mapped = false;         ///< weights stay in the file and come in as they are read: for more than memory holds
    std::string type_k = "f16";  ///< ggml type names of the KV cache
    std::string type_v = "f16";
    std::vector<RemoteShare> remote = {};  ///< the last layers, in this order; the first ones stay here
    /// Sees values of the graph as they are computed (ggml_backend_sched_eval_callback): asked whether it wants a
    /// tensor, then given it, and says whether to go on. Empty: nobody.
    std::function<bool(ggml_tensor* tensor, bool ask)> on_eval = {};
};

struct ChatMessage {
    std::string role;  ///< "system", "user", "assistant"
    std::string content;
};

/// A loaded model with one context: text to tokens, tokens to logits. One sequence; not thread safe.
class Session {
public:
    /// @throws EngineError with the engine's last words if it refuses the file; UsageError for bad options
    Session(const Model& model, const SessionOptions& options);
    /// Another context on the weights of a session, which are loaded once and shared (options.mapped and remote are of
    /// the first one). @throws as above
    Session(const Session& weights, const SessionOptions& options);
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    int64_t n_vocab() const;
    int64_t n_ctx() const;
    int64_t n_ctx_train() const;       ///< positions that the model has seen in training
    int64_t n_past() const;            ///< tokens read, the next one's position
    int64_t n_cells() const;           ///< of these, what the context holds; n_ctx is the limit. See forget
    bool has_window() const;           ///< layers let go of old tokens: part of the context can't be had back
    bool adds_bos() const;             ///< the tokenizer puts a BOS before text
    int32_t bos() const;               ///< -1 if there is none
    bool is_end(int32_t token) const;  ///< end of sequence, turn or text

    /// @param add_special  put BOS (EOS) where the model wants it; @param parse_special  read "<|im_start|>" as a
    /// control token
    std::vector<int32_t> tokenize(std::string_view text, bool add_special, bool parse_special) const;
    std::string piece(int32_t token, bool special = false) const;  ///< its bytes; may be part of a UTF-8 character

    /// The prompt that the file's own template makes of the messages.
    /// @throws UsageError if the file has no template, or one that the engine doesn't know
    std::string apply_template(std::span<const ChatMessage> messages, bool add_assistant) const;

    /// Append tokens to the context and return logits, row-major [tokens.size() - first_logit, n_vocab], for the tokens
    /// from `first_logit` on. The span is valid until the next call.
    /// @throws UsageError if a token is outside the vocabulary or the context would overflow; Interrupted
    std::span<const float> decode(std::span<const int32_t> tokens, int64_t first_logit);

    /// Forget all tokens from position n_past on, and before it those that `forget` left a gap before; 0 = all.
    /// @throws EngineError if a sliding window has let go of what would be needed again: truncate(0) then, and start
    /// over
    void truncate(int64_t n_past);
    /// Forget the tokens at positions begin to end - 1. Others stay where they are, and have read them.
    /// @throws EngineError if this model's memory can't
    void forget(int64_t begin, int64_t end);
    /// Forget `n_discard` tokens after the first `n_keep` and move the rest down (context shift).
    /// @return false if this model's memory can't be shifted, or has forgotten tokens
    bool shift(int64_t n_keep, int64_t n_discard);

    /// The cache of the context, as the engine writes a sequence's (llama_state_seq_get_data).
    /// @throws UsageError right after a shift, before the next decode: the engine turns the keys only then;
    ///         EngineError
    std::string state() const;
    /// Put back what `state` gave, in place of what is in the context now. If it is refused the context is empty.
    /// @throws EngineError with the engine's last words: other cache types, more tokens than the context holds, …
    void restore(std::span<const uint8_t> state);

    struct Impl;
    Impl& impl() { return *impl_; }

private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace ech0
