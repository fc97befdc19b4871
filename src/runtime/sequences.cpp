#include "runtime/sequences.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/engine.h"
#include "runtime/session_impl.h"

namespace ech0 {
namespace {

struct BatchOwner {
    explicit BatchOwner(int32_t n_tokens) : batch(llama_batch_init(n_tokens, 0, 1)) {}
    ~BatchOwner() { llama_batch_free(batch); }
    BatchOwner(const BatchOwner&) = delete;
    BatchOwner& operator=(const BatchOwner&) = delete;

    void add(int32_t token, int64_t position, int64_t sequence, bool wants_logits) {
        const int32_t i = batch.n_tokens++;
        batch.token[i] = token;
        batch.pos[i] = static_cast<llama_pos>(position);
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = static_cast<llama_seq_id>(sequence);
        batch.logits[i] = static_cast<int8_t>(wants_logits);
    }

    llama_batch batch;
};

}  // namespace

Sequences::Sequences(Session& session, int64_t n_sequences, int64_t n_ctx, int n_threads)
    : n_vocab_(session.n_vocab()), n_ctx_(n_ctx), n_past_(static_cast<size_t>(n_sequences)) {
    if (n_sequences < 1 || n_sequences > static_cast<int64_t>(llama_max_parallel_sequences())) {
        throw UsageError(
            fmt::format("{} sequences at once: the engine runs 1 to {}", n_sequences, llama_max_parallel_sequences()));
    }
    llama_context_params params = llama_context_default_params();
    params.n_seq_max = static_cast<uint32_t>(n_sequences);
    params.n_ctx = static_cast<uint32_t>(n_sequences * n_ctx);
    params.n_batch = params.n_ctx;
    params.n_ubatch = std::min<uint32_t>(params.n_batch, 512);
    params.n_threads = params.n_threads_batch = n_threads > 0 ? n_threads : default_threads();
    params.abort_callback = [](void*) { return interrupted(); };
    params.no_perf = true;
    clear_engine_message();
    ctx_.reset(llama_init_from_model(session.impl().model.get(), params));
    if (!ctx_) throw engine_error(fmt::format("create a context of {} sequences of {} tokens", n_sequences, n_ctx));
}

void Sequences::check(std::span<const std::vector<int32_t>> tokens) const {
    if (tokens.size() != n_past_.size()) {
        throw UsageError(fmt::format("tokens for {} sequences, wanted {}", tokens.size(), n_past_.size()));
    }
    for (size_t s = 0; s < tokens.size(); ++s) {
        const auto n = static_cast<int64_t>(tokens[s].size());
        if (n < 1 || n_past_[s] + n > n_ctx_) {
            throw UsageError(fmt::format("sequence {}: {} tokens after {}; wanted 1 at least and {} in all at most", s,
                                         n, n_past_[s], n_ctx_));
        }
        for (const int32_t token : tokens[s]) {
            if (token < 0 || token >= n_vocab_)
                throw UsageError(fmt::format("token {} is outside the vocabulary of {}", token, n_vocab_));
        }
    }
}

void Sequences::run(std::span<const std::vector<int32_t>> tokens, int32_t n_tokens) {
    BatchOwner owner(n_tokens);
    std::vector<int32_t> last;  // place in the batch of the last token of each sequence
    last.reserve(tokens.size());
    for (size_t s = 0; s < tokens.size(); ++s) {
        for (size_t i = 0; i < tokens[s].size(); ++i) {
            owner.add(tokens[s][i], n_past_[s] + static_cast<int64_t>(i), static_cast<int64_t>(s),
                      i + 1 == tokens[s].size());
        }
        last.push_back(owner.batch.n_tokens - 1);
    }
    const int32_t code = llama_decode(ctx_.get(), owner.batch);
    if (code == 2) throw Interrupted();
    if (code != 0)
        throw engine_error(fmt::format("decode {} tokens of {} sequences (code {})", n_tokens, tokens.size(), code));
    for (size_t s = 0; s < tokens.size(); ++s) {
        std::copy_n(llama_get_logits_ith(ctx_.get(), last[s]), n_vocab_,
                    logits_.begin() + static_cast<int64_t>(s) * n_vocab_);
    }
}

std::span<const float> Sequences::decode(std::span<const std::vector<int32_t>> tokens) {
    check(tokens);
    check_interrupt();
    int64_t n_tokens = 0;
    for (const std::vector<int32_t>& of : tokens) n_tokens += static_cast<int64_t>(of.size());
    logits_.resize(tokens.size() * static_cast<size_t>(n_vocab_));
    run(tokens, static_cast<int32_t>(n_tokens));
    for (size_t s = 0; s < tokens.size(); ++s) n_past_[s] += static_cast<int64_t>(tokens[s].size());
    return logits_;
}

}  // namespace ech0
