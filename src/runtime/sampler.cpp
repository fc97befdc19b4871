#include "runtime/sampler.h"

#include <fmt/format.h>
#include <llama-cpp.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "ech0/error.h"

namespace ech0 {

struct Sampler::Impl {
    llama_sampler_ptr chain;
    std::vector<llama_token_data> candidates;  // [n_vocab], kept so that a token costs no allocation
    uint32_t seed = 0;
};

namespace {

void check_range(const char* option, double value, double least, double most) {
    if (!(value >= least && value <= most))
        throw UsageError(fmt::format("{} is {}, wanted {} to {}", option, value, least, most));
}

}  // namespace

void check(const SamplerOptions& options) {
    check_range("--temp", options.temp, 0, 100);
    check_range("--top-k", static_cast<double>(options.top_k), 0, std::numeric_limits<int32_t>::max());
    check_range("--top-p", options.top_p, 0, 1);
    check_range("--min-p", options.min_p, 0, 1);
    check_range("--repeat-penalty", options.repeat_penalty, 0.01, 100);
    check_range("--repeat-last-n", static_cast<double>(options.repeat_last_n), 0, 1 << 24);
    check_range("--seed", static_cast<double>(options.seed), -1, LLAMA_DEFAULT_SEED - 1);
}

namespace {

// LLAMA_DEFAULT_SEED means "any" to the engine, which then tells nobody which: so we draw, and can report it.
uint32_t choose_seed(int64_t asked) {
    if (asked >= 0) return static_cast<uint32_t>(asked);
    return std::random_device()() % LLAMA_DEFAULT_SEED;
}

// llama.cpp's order (common/sampling.cpp): penalties see all logits, the cuts come before the temperature.
llama_sampler_ptr make_chain(const SamplerOptions& options, int64_t n_vocab, std::span<const int32_t> suppressed,
                             uint32_t seed) {
    llama_sampler_ptr chain(llama_sampler_chain_init(llama_sampler_chain_default_params()));
    const auto add = [&](llama_sampler* sampler) { llama_sampler_chain_add(chain.get(), sampler); };
    std::vector<llama_logit_bias> never;
    for (const int32_t token : suppressed) never.push_back({token, -std::numeric_limits<float>::infinity()});
    if (!never.empty())
        add(llama_sampler_init_logit_bias(static_cast<int32_t>(n_vocab), static_cast<int32_t>(never.size()),
                                          never.data()));
    add(llama_sampler_init_penalties(static_cast<int32_t>(n_vocab), static_cast<int32_t>(options.repeat_last_n),
                                     static_cast<float>(options.repeat_penalty), 0, 0));
    if (options.temp == 0) {
        add(llama_sampler_init_greedy());
        return chain;
    }
    add(llama_sampler_init_top_k(static_cast<int32_t>(options.top_k)));
    add(llama_sampler_init_top_p(static_cast<float>(options.top_p), 0));
    add(llama_sampler_init_min_p(static_cast<float>(options.min_p), 0));
    add(llama_sampler_init_temp(static_cast<float>(options.temp)));
    add(llama_sampler_init_dist(seed));
    return chain;
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options, int64_t n_vocab, std::span<const int32_t> suppressed)
    : impl_(std::make_unique<Impl>()) {
    check(options);
    impl_->seed = choose_seed(options.seed);
    impl_->chain = make_chain(options, n_vocab, suppressed, impl_->seed);
    impl_->candidates.resize(static_cast<size_t>(n_vocab));
}

Sampler::~Sampler() = default;
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;

int32_t Sampler::sample(std::span<const float> logits) {
    std::vector<llama_token_data>& candidates = impl_->candidates;
    if (logits.size() != candidates.size())
        throw UsageError(fmt::format("{} logits for a vocabulary of {}", logits.size(), candidates.size()));
    bool any = false;
    for (size_t i = 0; i < logits.size(); i++) {
        if (std::isnan(logits[i]) || logits[i] == INFINITY)
            throw EngineError(
                fmt::format("the model's output for token {} is {}: its weights are damaged", i, logits[i]));
        any = any || logits[i] > -INFINITY;
        candidates[i] = {static_cast<llama_token>(i), logits[i], 0};
    }
    if (!any) throw EngineError("the model finds every token impossible: its weights are damaged");
    llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
    llama_sampler_apply(impl_->chain.get(), &array);
    const int32_t token = array.data[array.selected].id;
    accept(token);
    return token;
}

void Sampler::accept(int32_t token) { llama_sampler_accept(impl_->chain.get(), token); }
void Sampler::reset() { llama_sampler_reset(impl_->chain.get()); }
uint32_t Sampler::seed() const { return impl_->seed; }

}  // namespace ech0
