#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ech0/model.h"
#include "ech0/progress.h"
#include "verify/evaluation_text.h"

namespace ech0 {

/// Per scored token, chunk after chunk, what one candidate makes of the text beside the original.
struct CandidateScores {
    std::vector<float> nll;            ///< -log q(the token that came), nats
    std::vector<float> kl_divergence;  ///< KL(original || candidate), nats
    std::vector<float> same_top1;      ///< 1 where both favour the same token, else 0
};

struct SideBySide {
    std::vector<float> nll_original;
    std::vector<CandidateScores> candidates;
    int64_t n_chunks = 0;
};

struct SideBySideOptions {
    int64_t n_ctx = 512;   ///< tokens per chunk; the second half of each is scored
    int64_t n_chunks = 0;  ///< at most so many; 0 = all the text
    int n_threads = 0;     ///< 0 = all cores
};

/// Read the text with all models at once, chunk by chunk, and compare their predictions where llama-perplexity does: of
/// each chunk the positions n_ctx/2 … n_ctx-2, so that every prediction has at least half a chunk before it. Memory:
/// the models, their contexts, and the logits of at most 512 positions of each; nothing on disk.
/// @throws UsageError if the models don't share one vocabulary, naming both, or the text is too short; EngineError;
///         Interrupted
SideBySide side_by_side(const Model& original, std::span<const Model> candidates, const EvaluationText& text,
                        const SideBySideOptions& options, const Progress& progress = {});

/// @throws UsageError naming both files and the first difference if token ids mean different things in them
void check_same_vocabulary(const Model& original, const Session& original_session, const Model& candidate,
                           const Session& candidate_session);

}  // namespace ech0
