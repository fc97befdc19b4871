#pragma once

#include <vector>

#include "runtime/walk.h"

namespace ech0 {

/// How a model is run on text: the same for the original and for what is compared with it.
struct Judging {
    int64_t n_ctx = 512;
    int n_threads = 1;
    Progress progress;
    std::shared_ptr<Spill> spill = nullptr;  ///< for logits and hidden states
};

/// Versions of a model compared with the original on text that neither statistics nor repair saw.
class Judge {
public:
    /// Runs the original over the chunks.
    /// @throws EngineError (logits that are no numbers), FileError, Interrupted
    Judge(const Model& original, const Weights& weights, Chunks chunks, Judging how);

    /// KL(original || version) at each position, nats.
    std::vector<double> kl(const Model& version, const Weights& weights) const;

    /// The same on the first chunk alone.
    std::vector<double> kl_at_first(const Model& version, const Weights& weights) const;

    const Chunks& chunks() const { return chunks_; }
    int64_t n_tokens() const;

private:
    Walk walk(const char* stage) const;
    std::vector<double> kl_on(const Model& version, const Weights& weights, const Chunks& chunks) const;

    Chunks chunks_;
    Judging how_;
    int64_t n_vocab_ = 0;
    FloatArrays reference_;  // logits of the original, [n_tokens, n_vocab] of each chunk
};

double mean_of(const std::vector<double>& values);

/// Mean of a - b, position by position, in units of its standard error: below -1, a is better by more than its noise.
double paired_score(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace ech0
