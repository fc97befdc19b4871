#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ech0 {

// How far apart two models are at one position of a text. Both have read the same tokens and each gives one number
// (logit) per token of the vocabulary; softmax turns them into probabilities p (original) and q (candidate):
//
//   log p_i = x_i - log sum_j exp(x_j)                                     log-softmax
//   KL(p || q) = sum_i p_i (log p_i - log q_i)  >= 0, nats                 Kullback and Leibler 1951
//   perplexity = exp(-mean over positions of log p(the token that came))   Jelinek et al. 1977
//
// Example: p = (1/2, 1/2), q = (3/4, 1/4): KL = 1/2 log(2/3) + 1/2 log 2 = 0.1438 nats.

/// What one position says of the two models.
struct Score {
    double nll_original = 0;  ///< -log p of the token that really came next, nats
    double nll_candidate = 0;
    double kl_divergence = 0;  ///< KL(original || candidate), nats; exactly 0 for equal logits
    bool same_top1 = false;    ///< both favour the same token
};

/// Compare two models on the same positions. Logits are taken as float and summed as double; a probability below
/// e^-700 of the largest counts as that, so a logit of minus infinity (a token ruled out) is no division by zero.
/// @param original, candidate  logits, row-major [next.size(), n_vocab]; n_vocab follows from the size
/// @param next  the token that really came after each position
/// @throws UsageError if the sizes differ, are no multiple of next.size(), or a token lies outside the vocabulary;
///         EngineError if a logit is NaN or plus infinity: such a model is broken and has no divergence
std::vector<Score> compare(std::span<const float> original, std::span<const float> candidate,
                           std::span<const int32_t> next, int n_threads);

/// The same by the formulas above, one line each: what `compare` is tested against. Finite logits only.
Score compare_plainly(std::span<const float> original, std::span<const float> candidate, int32_t next);

/// Index of the largest logit; the first of equals, as the engine's greedy sampler and llama-perplexity choose.
int32_t top1(std::span<const float> logits);

/// log p(token) = x_token - log sum exp(x).
double log_softmax(std::span<const float> logits, int32_t token);

}  // namespace ech0
