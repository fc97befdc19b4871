#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct llama_vocab;

namespace ech0 {

/// How the next token is chosen; names, defaults and order of llama.cpp's own options.
struct SamplerOptions {
    double temp = 0.8;            ///< 0: always the likeliest token
    int64_t top_k = 40;           ///< 0: all
    double top_p = 0.95;          ///< 1: all
    double min_p = 0.05;          ///< 0: all
    double repeat_penalty = 1.0;  ///< 1: none
    int64_t repeat_last_n = 64;   ///< tokens that the penalty remembers
    double presence_penalty = 0;  ///< 0: none
    double frequency_penalty = 0;
    double typical_p = 1;        ///< 1: all
    double top_n_sigma = -1;     ///< below 0: all
    double xtc_probability = 0;  ///< 0: never
    double xtc_threshold = 0.1;  ///< above 0.5: never
    int64_t seed = -1;           ///< -1: another one each time
    std::string grammar = {};    ///< GBNF that an answer must follow, from its rule "root"; "" = none
};

/// @throws UsageError naming the option that is out of range and its range
void check(const SamplerOptions& options);

/// Chooses tokens from logits; owner of a llama_sampler chain.
class Sampler {
public:
    /// @param suppressed  tokens that are never chosen (Gemma's image tokens in a text chat)
    /// @param vocab  whose tokens a grammar is spelled in; needed for one alone
    /// @throws UsageError as check, and if the grammar is none
    Sampler(const SamplerOptions& options, int64_t n_vocab, std::span<const int32_t> suppressed = {},
            const llama_vocab* vocab = nullptr);
    ~Sampler();
    Sampler(Sampler&&) noexcept;
    Sampler& operator=(Sampler&&) noexcept;

    /// The next token, which is remembered as said. @param logits  [n_vocab]
    /// @throws EngineError if the logits are no numbers: the model's weights are damaged
    int32_t sample(std::span<const float> logits);

    /// Remember a token that was not chosen here (of the prompt), for the repeat penalty.
    void accept(int32_t token);

    /// Forget what was said and begin the random numbers again.
    void reset();

    /// A new answer begins: the grammar starts over.
    void begin_answer();

    uint32_t seed() const;  ///< the one in use, also when the options asked for any

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ech0
