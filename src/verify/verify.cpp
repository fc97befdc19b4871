#include "verify/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "ech0/error.h"
#include "machine/budget.h"
#include "machine/host.h"
#include "model/model_hash.h"
#include "runtime/engine.h"
#include "verify/evaluation_text.h"
#include "verify/greedy.h"
#include "verify/interval.h"
#include "verify/overlap.h"
#include "verify/retrieval.h"
#include "verify/side_by_side.h"
#include "verify/speed.h"

namespace ech0 {
namespace {

constexpr int64_t greedy_n_prompts = 16, greedy_prompt_tokens = 64, greedy_n_tokens = 64;
constexpr int64_t speed_n_repeats = 3;

/// Original first, then the candidates in their order.
std::vector<const Model*> all_models(const Model& original, std::span<const Model> candidates) {
    std::vector<const Model*> models = {&original};
    for (const Model& candidate : candidates) models.push_back(&candidate);
    return models;
}

Measured& measured(Evidence& evidence, size_t model) {
    return model == 0 ? evidence.original : evidence.candidates[model - 1];
}

void describe(const Model& model, Measured& into, const Progress& progress) {
    into.path = model.asked;
    into.sha256 = sha256_of_model(model, progress);
    into.size_bytes = model.size_bytes;
    into.bits_per_weight = model.bits_per_weight;
}

Evidence describe_run(const std::vector<const Model*>& models, const EvaluationText& text, const VerifyOptions& options,
                      const Progress& progress) {
    start_engine();
    Evidence evidence;
    evidence.candidates.resize(models.size() - 1);
    for (size_t m = 0; m < models.size(); ++m) describe(*models[m], measured(evidence, m), progress);
    const CalibrationText calibration = options.calibration ? *options.calibration : embedded_calibration_text();
    evidence.text_path = text.name;
    evidence.text_sha256 = text.sha256;
    evidence.calibration_path = calibration.name;
    evidence.calibration_sha256 = calibration.sha256;
    evidence.overlap_with_calibration = overlap(text.content, calibration.text);
    evidence.engine = engine_description();
    evidence.command = options.command;
    evidence.machine =
        fmt::format("{}, {} threads", processor_name(), options.n_threads > 0 ? options.n_threads : default_threads());
    return evidence;
}

void set_perplexity(Measured& into, std::span<const float> nll, int64_t n_chunks) {
    const Estimate mean = mean_with_interval(nll, n_chunks);
    into.perplexity = std::exp(mean.mean);
    into.perplexity_low = std::exp(mean.low);
    into.perplexity_high = std::exp(mean.high);
}

// A chunk of 512 scores 255 positions: 16 to a part, over all chunks enough for a mean.
constexpr int64_t parts_of_a_chunk = 16;

void set_divergence(Evidence& evidence, const SideBySide& scores, const VerifyOptions& options) {
    evidence.n_ctx = options.n_ctx;
    evidence.n_chunks = scores.n_chunks;
    evidence.n_tokens = static_cast<int64_t>(scores.nll_original.size());
    set_perplexity(evidence.original, scores.nll_original, scores.n_chunks);
    for (size_t c = 0; c < scores.candidates.size(); ++c) {
        const CandidateScores& of = scores.candidates[c];
        Candidate& candidate = evidence.candidates[c];
        set_perplexity(candidate, of.nll, scores.n_chunks);
        candidate.kl_divergence = distribution(of.kl_divergence, scores.n_chunks);
        candidate.top1_agreement = share_with_interval(of.same_top1, scores.n_chunks);
        candidate.kl_per_token = of.kl_divergence;
        candidate.kl_quantiles = percentiles(of.kl_divergence);
        candidate.kl_by_position = means_by_position(of.kl_divergence, scores.n_chunks, parts_of_a_chunk);
    }
}

void set_paired(Evidence& evidence) {
    const auto n = static_cast<int64_t>(evidence.candidates.size());
    for (int64_t a = 0; a < n; ++a) {
        for (int64_t b = a + 1; b < n; ++b) {
            evidence.paired.push_back({a, b,
                                       paired_difference(evidence.candidates[a].kl_per_token,
                                                         evidence.candidates[b].kl_per_token, evidence.n_chunks)});
        }
    }
}

void set_greedy_agreement(Candidate& candidate, const std::vector<Tokens>& wanted, const std::vector<Tokens>& said) {
    std::vector<float> shares(wanted.size());
    std::transform(wanted.begin(), wanted.end(), said.begin(), shares.begin(),
                   [](const Tokens& a, const Tokens& b) { return static_cast<float>(common_prefix(a, b)); });
    const Estimate agreement = mean_with_interval(shares, static_cast<int64_t>(shares.size()));
    candidate.greedy_agreement = agreement.mean;
    candidate.greedy_agreement_low = std::max(0.0, agreement.low);
    candidate.greedy_agreement_high = std::min(1.0, agreement.high);
}

void set_greedy(Evidence& evidence, const std::vector<const Model*>& models, const EvaluationText& text,
                const VerifyOptions& options, const Progress& progress) {
    evidence.workload.greedy_n_prompts = greedy_n_prompts;
    evidence.workload.greedy_n_tokens = greedy_n_tokens;
    const auto n_steps = static_cast<int64_t>(models.size()) * greedy_n_tokens;
    std::vector<Tokens> wanted;
    for (size_t m = 0; m < models.size(); ++m) {
        Session session(*models[m], {.n_ctx = 64,
                                     .n_threads = options.n_threads,
                                     .mapped = !fits_memory(*models[m])});  // its model serves, its context idles
        const std::vector<Tokens> prompts = pick_prompts(session, text.content, greedy_n_prompts, greedy_prompt_tokens);
        const std::vector<Tokens> said =
            continue_greedily(session, prompts, greedy_n_tokens, options.n_threads, [&](int64_t step) {
                if (progress) progress("continue prompts", static_cast<int64_t>(m) * greedy_n_tokens + step, n_steps);
            });
        if (m == 0)
            wanted = said;
        else
            set_greedy_agreement(evidence.candidates[m - 1], wanted, said);
    }
    if (progress) progress("continue prompts", n_steps, n_steps);
}

void set_retrieval(Evidence& evidence, const std::vector<const Model*>& models, const EvaluationText& text,
                   const VerifyOptions& options, const Progress& progress) {
    RetrievalOptions retrieval;
    retrieval.seed = options.seed;
    for (const Model* model : models) {
        if (model->n_ctx_train > 0) retrieval.n_ctx = std::min(retrieval.n_ctx, model->n_ctx_train);
    }
    evidence.workload.retrieval_n_ctx = retrieval.n_ctx;
    for (size_t m = 0; m < models.size(); ++m) {
        if (progress) progress("retrieve facts", static_cast<int64_t>(m), static_cast<int64_t>(models.size()));
        Session session(*models[m],
                        {.n_ctx = retrieval.n_ctx, .n_threads = options.n_threads, .mapped = !fits_memory(*models[m])});
        measured(evidence, m).retrieval = measure_retrieval(session, text.content, retrieval);
    }
}

void set_speed(Evidence& evidence, const std::vector<const Model*>& models, const VerifyOptions& options,
               const Progress& progress) {
    SpeedOptions speed;
    speed.n_threads = options.n_threads;
    evidence.workload.speed_n_prompt = speed.n_prompt;
    evidence.workload.speed_n_generate = speed.n_generate;
    evidence.workload.speed_n_ctx = speed.n_ctx;
    evidence.workload.speed_n_repeats = speed_n_repeats;
    std::vector<std::string> names;
    names.reserve(models.size());
    for (const Model* model : models) names.push_back(model->files.front().string());
    const std::vector<Speed> speeds = measure_alone(options.program, names, speed_n_repeats, speed, progress);
    for (size_t m = 0; m < speeds.size(); ++m) {
        Measured& into = measured(evidence, m);
        into.tokens_per_s = speeds[m].tokens_per_s;
        into.prompt_tokens_per_s = speeds[m].prompt_tokens_per_s;
        into.peak_memory_bytes = speeds[m].peak_memory_bytes;
    }
}

}  // namespace

void check(const Model& model, const VerifyOptions& options) {
    if (options.n_ctx < 64) throw UsageError(fmt::format("--ctx {}: wanted at least 64 tokens", options.n_ctx));
    if (model.n_ctx_train > 0 && options.n_ctx > model.n_ctx_train)
        throw UsageError(fmt::format("--ctx {}: {} was trained on {} tokens of context", options.n_ctx, model.asked,
                                     model.n_ctx_train));
    load_evaluation_text(options.text);
}

Evidence verify(const Model& original, std::span<const Model> candidates, const VerifyOptions& options,
                const Progress& progress) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<const Model*> models = all_models(original, candidates);
    for (const Model* model : models) model->require_weights();
    if (models.size() < 2) throw UsageError("verify: no candidate to compare with " + original.asked);
    for (const Model* model : models) check(*model, options);
    const EvaluationText text = load_evaluation_text(options.text);
    Evidence evidence = describe_run(models, text, options, progress);

    // Each stage opens the models it needs and closes them before the next one begins.
    set_divergence(
        evidence,
        side_by_side(original, candidates, text, {options.n_ctx, options.n_chunks, options.n_threads}, progress),
        options);
    set_paired(evidence);
    set_greedy(evidence, models, text, options, progress);
    if (!options.quick) set_retrieval(evidence, models, text, options, progress);
    if (!options.quick && !options.program.empty()) set_speed(evidence, models, options, progress);

    evidence.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return evidence;
}

}  // namespace ech0
