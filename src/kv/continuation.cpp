#include "kv/continuation.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "ech0/error.h"
#include "runtime/divergence.h"
#include "runtime/ggml_types.h"
#include "runtime/sampler.h"

namespace ech0 {
namespace {

constexpr int64_t n_path = 256, n_greedy = 64;
constexpr int64_t seed = 1;

std::string type_of(const KvState& state, std::string_view name) {
    const std::vector<const KvTensor*> tensors = kv_tensors(state);
    if (tensors.empty()) throw UsageError(fmt::format("{}: a cache without tokens", name));
    for (const KvTensor* t : tensors)
        if (t->type != tensors.front()->type)
            throw UsageError(fmt::format("{}: K and V of {} and {}; one type is wanted to measure a loss", name,
                                         type_label(static_cast<ggml_type>(tensors.front()->type)),
                                         type_label(static_cast<ggml_type>(t->type))));
    return type_label(static_cast<ggml_type>(tensors.front()->type));
}

int32_t new_line(const Session& session) {
    const std::vector<int32_t> tokens = session.tokenize("\n", false, false);
    return tokens.empty() ? 0 : tokens.front();
}

}  // namespace

Continuation::Continuation(const Session& weights, const KvState& state, std::span<const uint8_t> bytes,
                           std::string_view name, int n_threads)
    : state_(state),
      name_(name),
      n_threads_(n_threads),
      again_(static_cast<int64_t>(state.tokens.size()) == state.n_cells()),
      first_(again_ ? state.tokens.back() : new_line(weights)),
      context_(weights, {.n_ctx = state.n_cells() + n_path,
                         .n_threads = n_threads,
                         .type_k = type_of(state, name),
                         .type_v = type_of(state, name)}) {
    restore(bytes);
    write_path();
    restore(bytes);
    const std::span<const float> logits = context_.decode(std::span(path_).first(n_path), 0);
    logits_.assign(logits.begin(), logits.end());
    restore(bytes);
    greedy_ = favourites();
}

void Continuation::restore(std::span<const uint8_t> bytes) {
    context_.restore(bytes_of(as_buffer(state_, bytes, name_)));
    if (again_) context_.truncate(state_.n_cells() - 1);
}

void Continuation::write_path() {
    SamplerOptions options;
    options.temp = 1;
    options.top_k = 0;
    options.top_p = 1;
    options.min_p = 0;
    options.seed = seed;
    Sampler sampler(options, context_.n_vocab());
    path_ = {first_};
    while (static_cast<int64_t>(path_.size()) <= n_path)
        path_.push_back(sampler.sample(context_.decode(std::span(&path_.back(), 1), 0)));
}

std::vector<int32_t> Continuation::favourites() {
    std::vector<int32_t> out;
    for (int32_t token = first_; static_cast<int64_t>(out.size()) < n_greedy; out.push_back(token))
        token = top1(context_.decode(std::span(&token, 1), 0));
    return out;
}

KvDivergence Continuation::compare(std::span<const uint8_t> bytes) {
    KvDivergence found;
    restore(bytes);
    const std::span<const float> logits = context_.decode(std::span(path_).first(n_path), 0);
    for (const Score& score : ech0::compare(logits_, logits, std::span(path_).subspan(1), n_threads_)) {
        found.kl_divergence += score.kl_divergence / n_path;
        found.n_same_top1 += score.same_top1 ? 1 : 0;
    }
    found.n_tokens = n_path;
    restore(bytes);
    const std::vector<int32_t> now = favourites();
    found.n_greedy = n_greedy;
    for (size_t i = 0; i < now.size(); i++) found.n_greedy_equal += now[i] == greedy_[i] ? 1 : 0;
    return found;
}

}  // namespace ech0
