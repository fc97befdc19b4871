#pragma once

#include "fit/fit.h"

namespace ech0 {

// Which option to take. Files of one model are compared by their KL divergence from it. Files of different models of
// one family are compared by expected perplexity, ln(perplexity of the original) + KL: published, or the line through
// the family's published sizes. Where that is not known, by the same with the part of ln(perplexity) that follows from
// size alone in the families that were published.

/// One of the models that are compared.
struct ComparedModel {
    std::string name, family;
    int64_t n_params = 0;
};

/// What is added to each one's KL divergences, so that their files can be compared; 0 for a single model.
struct Levels {
    std::vector<double> of;  ///< in the models' order
    std::string words;       ///< how they were compared; empty for one
};
Levels compare_models(const std::vector<ComparedModel>& models);

/// Mark the options that fit and that no other fitting one beats in quality, speed and memory at once.
void mark_front(std::vector<FitOption>& options);

/// quality: the least loss. balanced: the least loss among those at least as fast as a person reads. speed: the fastest
/// that is still close to its original. Among equals (within what can be told apart) the faster, then the smaller.
/// @return nothing if none fits and reaches `min_tokens_per_s`
std::optional<size_t> choose(const std::vector<FitOption>& options, Prefer prefer, double min_tokens_per_s);

/// 300 words a minute at 0.75 words per token: a fast reader of English (Brysbaert 2019 found 238 on average).
constexpr double reading_tokens_per_s = 300.0 / 60 / 0.75;

/// More than this and a model is no longer what it was: what published files of 3.5 bits have at the median (0.09, 63
/// figures of share/quality).
constexpr double close_kl = 0.1;

}  // namespace ech0
