#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ech0 {

/// A mean with its 95 % confidence interval.
struct Estimate {
    double mean = 0, low = 0, high = 0;
};

/// A distribution of per-token values: mean with interval, median and 99 % quantile.
struct Distribution {
    double mean = 0, low = 0, high = 0, median = 0, p99 = 0;
};

/// Facts that a model was asked for, at one place of the context.
struct Retrieval {
    double depth = 0;  ///< where the fact stood, 0 = beginning, 1 = end of the context
    int64_t n_trials = 0;
    int64_t n_hits = 0;       ///< the true answer, whole, was the likeliest continuation
    int64_t n_preferred = 0;  ///< it was likelier than the answer of every other hidden fact
};

/// What was measured of one file (of the original, or of a candidate beside it).
struct Measured {
    std::string path, sha256;
    int64_t size_bytes = 0;
    double bits_per_weight = 0;
    double perplexity = 0, perplexity_low = 0, perplexity_high = 0;
    double tokens_per_s = 0;  ///< generation, median of the runs
    double prompt_tokens_per_s = 0;
    int64_t peak_memory_bytes = 0;  ///< of a process that does nothing but load and run this file
    std::vector<Retrieval> retrieval;
};

struct Candidate : Measured {
    Distribution kl_divergence;   ///< KL(original || candidate), nats per token
    Estimate top1_agreement;      ///< share of positions where both favour the same token
    double greedy_agreement = 0;  ///< mean length of the common prefix of greedy continuations, as a share
    double greedy_agreement_low = 0, greedy_agreement_high = 0;
    std::vector<double> kl_quantiles;    ///< of the tokens' KL divergences, at 0 %, 1 %, … 100 %
    std::vector<double> kl_by_position;  ///< its means over equal parts of the scored positions of a chunk, in order
    std::vector<float> kl_per_token;     ///< kept for paired differences; not written to JSON
};

/// KL of candidate a minus KL of candidate b on the same tokens.
struct PairedDifference {
    int64_t a = 0, b = 0;  ///< indices into Evidence::candidates
    Estimate kl_difference;
};

/// What was run to measure greedy agreement, retrieval and speed; 0 where that was not measured.
struct Workload {
    int64_t greedy_n_prompts = 0, greedy_n_tokens = 0;
    int64_t retrieval_n_ctx = 0;
    int64_t speed_n_prompt = 0, speed_n_generate = 0, speed_n_ctx = 0, speed_n_repeats = 0;
};

/// The proof: what was measured, on which text, by which engine, by which command.
struct Evidence {
    Measured original;
    std::string text_path, text_sha256;  ///< path, or "embedded"
    int64_t n_tokens = 0;                ///< tokens of the text that were scored
    int64_t n_chunks = 0, n_ctx = 0;
    std::string engine;  ///< llama.cpp version and commit
    std::string command;
    std::string machine;                               ///< processor, cores: what speed and memory hold for
    std::string calibration_path, calibration_sha256;  ///< the text that the evaluation text must not repeat
    double overlap_with_calibration = 0;  ///< share of the text's 13-word sequences that the calibration text has
    Workload workload;
    std::vector<Candidate> candidates;
    std::vector<PairedDifference> paired;
    double seconds = 0;
};

}  // namespace ech0
