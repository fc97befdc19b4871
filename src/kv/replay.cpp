#include "kv/replay.h"

#include <fmt/format.h>
#include <ggml-backend.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"
#include "runtime/session_impl.h"

namespace ech0 {

Replay::Replay(Session& session, int64_t n_ctx, const std::string& type, int n_threads)
    : n_vocab_(session.n_vocab()), n_ctx_(n_ctx) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(n_ctx);
    params.n_batch = params.n_ubatch = static_cast<uint32_t>(std::min(n_batch_, n_ctx));
    params.n_threads = params.n_threads_batch = n_threads > 0 ? n_threads : default_threads();
    params.type_k = params.type_v = type_by_name(type);
    params.cb_eval = on_eval;
    params.cb_eval_user_data = this;
    params.no_perf = true;
    n_batch_ = params.n_batch;
    ctx_.reset(llama_init_from_model(session.impl().model.get(), params));
    if (!ctx_) throw engine_error(fmt::format("create a context of {} tokens, cache {}", n_ctx, type));
}

bool Replay::on_eval(ggml_tensor* tensor, bool ask, void* self) {
    Replay& replay = *static_cast<Replay*>(self);
    if (!replay.take_) return false;
    constexpr const char* name = "Qcur-";
    const bool wanted = tensor->op == GGML_OP_ROPE && std::strncmp(tensor->name, name, std::strlen(name)) == 0;
    if (ask || !wanted) return ask ? wanted : true;
    replay.queries_.resize(static_cast<size_t>(ggml_nelements(tensor)));
    ggml_backend_tensor_get(tensor, replay.queries_.data(), 0, ggml_nbytes(tensor));
    replay.take_(std::atoi(tensor->name + std::strlen(name)), replay.n_past_, replay.queries_.data(), tensor->ne[2]);
    return true;
}

void Replay::decode(std::span<const int32_t> tokens, bool logits) {
    if (n_past_ + static_cast<int64_t>(tokens.size()) > n_ctx_)
        throw UsageError(fmt::format("{} tokens after {} do not fit a context of {}", tokens.size(), n_past_, n_ctx_));
    logits_.clear();
    for (size_t at = 0; at < tokens.size(); at += static_cast<size_t>(n_batch_)) {
        check_interrupt();
        const auto n = static_cast<int32_t>(std::min(tokens.size() - at, static_cast<size_t>(n_batch_)));
        llama_batch batch = llama_batch_init(n, 0, 1);
        batch.n_tokens = n;
        for (int32_t i = 0; i < n; i++) {
            batch.token[i] = tokens[at + static_cast<size_t>(i)];
            batch.pos[i] = static_cast<llama_pos>(n_past_ + i);
            batch.n_seq_id[i] = 1;
            batch.seq_id[i][0] = 0;
            batch.logits[i] = logits;
        }
        const int32_t code = llama_decode(ctx_.get(), batch);
        llama_batch_free(batch);
        if (code != 0) throw engine_error(fmt::format("decode {} tokens at position {} (code {})", n, n_past_, code));
        n_past_ += n;
        if (!logits) continue;
        const float* l = llama_get_logits(ctx_.get());
        logits_.insert(logits_.end(), l, l + int64_t{n} * n_vocab_);
    }
}

std::string Replay::prefill(std::span<const int32_t> tokens, const TakeQueries& take) {
    llama_memory_clear(llama_get_memory(ctx_.get()), true);
    n_past_ = 0;
    take_ = take;
    decode(tokens, false);
    take_ = {};
    std::string cache(llama_state_seq_get_size(ctx_.get(), 0), '\0');
    if (llama_state_seq_get_data(ctx_.get(), reinterpret_cast<uint8_t*>(cache.data()), cache.size(), 0) != cache.size())
        throw engine_error("write the cache's state");
    return cache;
}

void Replay::restore(std::span<const uint8_t> cache) {
    const llama_memory_t memory = llama_get_memory(ctx_.get());
    llama_memory_clear(memory, true);
    clear_engine_message();
    if (llama_state_seq_set_data(ctx_.get(), cache.data(), cache.size(), 0) == 0)
        throw engine_error("take the cache's state back");
    n_past_ = llama_memory_seq_pos_max(memory, 0) + 1;
}

std::span<const float> Replay::read_on(std::span<const int32_t> tokens) {
    decode(tokens, true);
    return logits_;
}

void Replay::forget_from(int64_t n) {
    llama_memory_seq_rm(llama_get_memory(ctx_.get()), 0, static_cast<llama_pos>(n), -1);
    n_past_ = std::min(n_past_, n);
}

}  // namespace ech0
