#include "runtime/sampler.h"

#include <fmt/format.h>
#include <llama-cpp.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "ech0/error.h"
#include "runtime/engine.h"

namespace ech0 {

struct Sampler::Impl {
    llama_sampler_ptr chain;
    llama_sampler_ptr grammar;                 // null: none
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
    check_range("--presence-penalty", options.presence_penalty, -100, 100);
    check_range("--frequency-penalty", options.frequency_penalty, -100, 100);
    check_range("--typical-p", options.typical_p, 0, 1);
    check_range("--top-n-sigma", options.top_n_sigma, -1, 100);
    check_range("--xtc-probability", options.xtc_probability, 0, 1);
    check_range("--xtc-threshold", options.xtc_threshold, 0, 1);
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
                                     static_cast<float>(options.repeat_penalty),
                                     static_cast<float>(options.frequency_penalty),
                                     static_cast<float>(options.presence_penalty)));
    if (options.temp == 0) {
        add(llama_sampler_init_greedy());
        return chain;
    }
    if (options.top_n_sigma >= 0) add(llama_sampler_init_top_n_sigma(static_cast<float>(options.top_n_sigma)));
    add(llama_sampler_init_top_k(static_cast<int32_t>(options.top_k)));
    if (options.typical_p < 1) add(llama_sampler_init_typical(static_cast<float>(options.typical_p), 0));
    add(llama_sampler_init_top_p(static_cast<float>(options.top_p), 0));
    add(llama_sampler_init_min_p(static_cast<float>(options.min_p), 0));
    if (options.xtc_probability > 0)
        add(llama_sampler_init_xtc(static_cast<float>(options.xtc_probability),
                                   static_cast<float>(options.xtc_threshold), 0, seed));
    add(llama_sampler_init_temp(static_cast<float>(options.temp)));
    add(llama_sampler_init_dist(seed));
    return chain;
}

llama_sampler_ptr make_grammar(const std::string& grammar, const llama_vocab* vocab) {
    if (grammar.empty()) return nullptr;
    if (vocab == nullptr) throw UsageError("a grammar needs a model's vocabulary");
    clear_engine_message();
    llama_sampler_ptr sampler(llama_sampler_init_grammar(vocab, grammar.c_str(), "root"));
    if (!sampler)
        throw UsageError(fmt::format("the grammar can't be read: {}; it is GBNF, and its first rule is 'root'",
                                     last_engine_message()));
    return sampler;
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options, int64_t n_vocab, std::span<const int32_t> suppressed,
                 const llama_vocab* vocab)
    : impl_(std::make_unique<Impl>()) {
    check(options);
    impl_->grammar = make_grammar(options.grammar, vocab);
    impl_->seed = choose_seed(options.seed);
    impl_->chain = make_chain(options, n_vocab, suppressed, impl_->seed);
    impl_->candidates.resize(static_cast<size_t>(n_vocab));
}

Sampler::~Sampler() = default;
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;

namespace {

void fill(std::vector<llama_token_data>& candidates, std::span<const float> logits) {
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
}

bool allows(llama_sampler* grammar, llama_token token) {
    llama_token_data one{token, 0, 0};
    llama_token_data_array array{&one, 1, -1, false};
    llama_sampler_apply(grammar, &array);
    return one.logit > -INFINITY;
}

}  // namespace

// A grammar looks at every token of the vocabulary, which is slow, and most choices follow it anyway: so it is asked of
// the one that was chosen, and of all only if that one does not follow (as common/sampling.cpp does).
int32_t Sampler::sample(std::span<const float> logits) {
    std::vector<llama_token_data>& candidates = impl_->candidates;
    const auto choose = [&](bool by_grammar) {
        fill(candidates, logits);
        llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
        if (by_grammar) llama_sampler_apply(impl_->grammar.get(), &array);
        llama_sampler_apply(impl_->chain.get(), &array);
        return array.data[array.selected].id;
    };
    int32_t token = choose(false);
    if (impl_->grammar) {
        if (!allows(impl_->grammar.get(), token)) token = choose(true);
        llama_sampler_accept(impl_->grammar.get(), token);
    }
    accept(token);
    return token;
}

void Sampler::begin_answer() {
    if (impl_->grammar) llama_sampler_reset(impl_->grammar.get());
}

void Sampler::accept(int32_t token) { llama_sampler_accept(impl_->chain.get(), token); }
void Sampler::reset() { llama_sampler_reset(impl_->chain.get()); }
uint32_t Sampler::seed() const { return impl_->seed; }

}  // namespace ech0
