#include "verify/side_by_side.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/interrupt.h"
#include "base/text.h"
#include "ech0/error.h"
#include "machine/budget.h"
#include "runtime/divergence.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

// Also the most positions whose logits are held: 512 x 152k tokens x 4 bytes = 311 MB per model.
constexpr int64_t n_batch = 512;

std::vector<Session> open_sessions(const Model& original, std::span<const Model> candidates,
                                   const SideBySideOptions& options) {
    std::vector<const Model*> all = {&original};
    for (const Model& candidate : candidates) all.push_back(&candidate);
    const SessionOptions session{
        .n_ctx = options.n_ctx, .n_batch = n_batch, .n_threads = options.n_threads, .mapped = !fits_memory(all)};
    std::vector<Session> sessions;
    sessions.emplace_back(original, session);
    for (const Model& candidate : candidates) {
        sessions.emplace_back(candidate, session);
        check_same_vocabulary(original, sessions.front(), candidate, sessions.back());
    }
    return sessions;
}

void append(SideBySide& result, size_t candidate, const std::vector<Score>& scores) {
    CandidateScores& into = result.candidates[candidate];
    for (const Score& score : scores) {
        if (candidate == 0) result.nll_original.push_back(static_cast<float>(score.nll_original));
        into.nll.push_back(static_cast<float>(score.nll_candidate));
        into.kl_divergence.push_back(static_cast<float>(score.kl_divergence));
        into.same_top1.push_back(score.same_top1 ? 1.0F : 0.0F);
    }
}

/// One chunk through all models, a batch at a time. Logits are wanted from the middle on; the last position has no next
/// token.
void read_chunk(std::vector<Session>& sessions, std::span<const int32_t> chunk, int n_threads, SideBySide& result) {
    for (Session& session : sessions) session.truncate(0);
    const auto n_ctx = static_cast<int64_t>(chunk.size());
    for (int64_t at = 0; at < n_ctx; at += n_batch) {
        const std::span<const int32_t> batch = chunk.subspan(at, std::min(n_batch, n_ctx - at));
        const auto n_tokens = static_cast<int64_t>(batch.size());
        const int64_t first = std::clamp<int64_t>(n_ctx / 2 - at, 0, n_tokens);
        const int64_t n_scored = std::min(n_tokens - first, n_ctx - 1 - (at + first));
        std::span<const float> original;
        for (size_t s = 0; s < sessions.size(); ++s) {
            const std::span<const float> logits = sessions[s].decode(batch, first);
            if (n_scored <= 0) continue;
            const std::span<const float> scored = logits.first(n_scored * sessions[s].n_vocab());
            if (s == 0)
                original = scored;
            else
                append(result, s - 1, compare(original, scored, chunk.subspan(at + first + 1, n_scored), n_threads));
        }
    }
}

}  // namespace

void check_same_vocabulary(const Model& original, const Session& original_session, const Model& candidate,
                           const Session& candidate_session) {
    const std::string both = fmt::format("{} and {} have different vocabularies", original.asked, candidate.asked);
    original_session.tokenize("", false,
                              false);  // throws where a file has no tokenizer, of which `piece` can't be asked
    candidate_session.tokenize("", false, false);
    const int64_t n_vocab = original_session.n_vocab();
    if (candidate_session.n_vocab() != n_vocab) {
        throw UsageError(fmt::format("{}: {} and {} tokens; divergence needs the same one in both", both, n_vocab,
                                     candidate_session.n_vocab()));
    }
    for (int32_t token = 0; token < n_vocab; ++token) {
        const std::string a = original_session.piece(token, true);
        const std::string b = candidate_session.piece(token, true);
        if (a == b) continue;
        throw UsageError(
            fmt::format("{}: token {} is \"{}\" in one and \"{}\" in the other; divergence needs the same one in both",
                        both, token, printable(a), printable(b)));
    }
    if (original_session.adds_bos() != candidate_session.adds_bos() ||
        original_session.bos() != candidate_session.bos()) {
        throw UsageError(fmt::format("{}: only one adds a BOS token before text, or another one", both));
    }
}

SideBySide side_by_side(const Model& original, std::span<const Model> candidates, const EvaluationText& text,
                        const SideBySideOptions& options, const Progress& progress) {
    if (candidates.empty()) throw UsageError("verify: no candidate to compare with " + original.asked);
    std::vector<Session> sessions = open_sessions(original, candidates, options);
    const Chunks chunks = evaluation_chunks(sessions.front(), text, options.n_ctx, options.n_chunks);
    const int n_threads = options.n_threads > 0 ? options.n_threads : default_threads();
    SideBySide result;
    result.candidates.resize(candidates.size());
    for (const auto& chunk : chunks) {
        check_interrupt();
        if (progress) progress("compare chunk", result.n_chunks, static_cast<int64_t>(chunks.size()));
        read_chunk(sessions, chunk, n_threads, result);
        ++result.n_chunks;
    }
    if (progress) progress("compare chunk", result.n_chunks, static_cast<int64_t>(chunks.size()));
    return result;
}

}  // namespace ech0
