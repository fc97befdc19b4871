#include "runtime/side_context.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/engine.h"
#include "runtime/session_impl.h"

namespace ech0 {

SideContext::SideContext(const Session& weights, const Model& model, const SessionOptions& options)
    : n_vocab_(weights.n_vocab()) {
    llama_context_params params = context_params(model, options);
    params.abort_callback = [](void*) { return interrupted(); };
    clear_engine_message();
    // Session has no const way in, and the engine takes no const model; neither is changed.
    ctx_.reset(llama_init_from_model(const_cast<Session&>(weights).impl().model.get(), params));
    if (!ctx_)
        throw engine_error(
            fmt::format("create a context of {} tokens, K {}, V {}", params.n_ctx, options.type_k, options.type_v));
    n_batch_ = llama_n_batch(ctx_.get());
}

void SideContext::run(std::span<const int32_t> tokens, int64_t first_logit) {
    const auto n = static_cast<int32_t>(tokens.size());
    llama_batch batch = llama_batch_init(n, 0, 1);
    batch.n_tokens = n;
    for (int32_t i = 0; i < n; i++) {
        batch.token[i] = tokens[static_cast<size_t>(i)];
        batch.pos[i] = static_cast<llama_pos>(n_past_ + i);
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = i >= first_logit;
    }
    const int32_t code = llama_decode(ctx_.get(), batch);
    llama_batch_free(batch);
    if (code == 2) throw Interrupted();
    if (code != 0) throw engine_error(fmt::format("decode {} tokens at position {} (code {})", n, n_past_, code));
}

std::span<const float> SideContext::decode(std::span<const int32_t> tokens, int64_t first_logit) {
    const auto n = static_cast<int64_t>(tokens.size());
    const int64_t n_ctx = llama_n_ctx(ctx_.get());
    if (n_past_ + n > n_ctx)
        throw UsageError(fmt::format("{} tokens after {} do not fit a context of {}", n, n_past_, n_ctx));
    for (const int32_t token : tokens)
        if (token < 0 || token >= n_vocab_)
            throw UsageError(fmt::format("token {} is outside the vocabulary of {}", token, n_vocab_));
    logits_.clear();
    for (int64_t at = 0; at < n; at += n_batch_) {
        check_interrupt();
        const int64_t count = std::min(n_batch_, n - at);
        const int64_t first = std::clamp<int64_t>(first_logit - at, 0, count);
        run(tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(count)), first);
        n_past_ += count;
        if (first == count) continue;
        const float* const logits = llama_get_logits(ctx_.get());
        logits_.insert(logits_.end(), logits, logits + (count - first) * n_vocab_);
    }
    return logits_;
}

}  // namespace ech0
