#include "fit/bench.h"

#include <algorithm>

#include <fmt/format.h>

#include "ech0/error.h"
#include "fit/memory.h"
#include "machine/kernels.h"
#include "runtime/footprint.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

// Memory is accounted for by the engine, to a few per cent.
constexpr double first_memory_half_width = 0.03;

/// What fit says of a file as it is, before its corrections, and with them.
struct Prediction {
    SpeedEstimate plain, corrected;
    int64_t memory_bytes = 0;
    double memory_half_width = first_memory_half_width;
};

Prediction predict(const Model& model, const SpeedOptions& o, Kernels& timed, const std::vector<Score>& scores,
                   const std::string& machine) {
    const SessionOptions session{
        .n_ctx = o.n_ctx, .n_outputs = 1, .n_threads = o.n_threads, .type_k = o.type_k, .type_v = o.type_v};
    const Preset preset = preset_as_it_is(model);
    const Footprint footprint = FootprintProbe(model).of(session);
    const CacheTypes cache{o.type_k, o.type_v};
    const TokenWork answer = work_of(model, preset.types, footprint, session, o.n_prompt + o.n_generate / 2);
    const TokenWork prompt = work_of(model, preset.types, footprint, session, o.n_prompt);
    const KernelTable kernels =
        timed.table({preset.types.begin(), preset.types.end()}, {type_by_name(cache.k), type_by_name(cache.v)});
    const Correction speed = correction(scores, "tokens_per_s", machine, model.asked, first_speed_half_width);
    const Correction reading = correction(scores, "prompt_tokens_per_s", machine, model.asked, first_speed_half_width);
    const Correction memory = correction(scores, "memory_bytes", machine, model.asked, first_memory_half_width);
    Prediction p;
    p.plain = speed_here(kernels, {}, answer, cache, 1, first_speed_half_width);
    p.plain.prompt_tokens_per_s = speed_here(kernels, {}, prompt, cache, 1, 0).prompt_tokens_per_s;
    p.corrected = speed_here(kernels, {}, answer, cache, speed.factor, speed.half_width);
    p.corrected.prompt_tokens_per_s =
        speed_here(kernels, {}, prompt, cache, reading.factor, reading.half_width).prompt_tokens_per_s;
    p.memory_bytes = memory_of(model, preset, footprint, true).total_bytes();
    p.memory_half_width = std::max(0.01, memory.half_width);
    return p;
}

Score score_of(const std::string& kind, const std::string& machine, const BenchRow& row, const SpeedOptions& o,
               double plain, const Compared& compared) {
    return {kind,
            machine,
            row.model,
            fmt::format("prompt {} generate {} ctx {} cache {}", o.n_prompt, o.n_generate, o.n_ctx,
                        cache_name({o.type_k, o.type_v})),
            plain,
            compared.predicted.low,
            compared.predicted.high,
            compared.measured};
}

void check(const BenchOptions& options) {
    const SpeedOptions& o = options.speed;
    if (options.models.empty()) throw UsageError("no model to measure");
    if (o.n_prompt + o.n_generate > o.n_ctx)
        throw UsageError(fmt::format("a prompt of {} and an answer of {} tokens do not fit a context of {}: give --ctx",
                                     o.n_prompt, o.n_generate, o.n_ctx));
}

const Split* spread_of(const BenchOptions& options, size_t model) {
    return model < options.splits.size() && !options.splits[model].remote.empty() ? &options.splits[model] : nullptr;
}

struct Measured {
    Speed alone;
    std::optional<SpreadSpeed> spread;
};

/// Each model alone on this machine, and right behind it over the workers.
std::vector<Measured> measure(const BenchOptions& options, const std::vector<std::string>& paths,
                              const Progress& progress) {
    std::vector<SpeedRun> runs;
    for (size_t i = 0; i < paths.size(); i++) {
        runs.push_back({paths[i], options.speed});
        if (const Split* const split = spread_of(options, i)) {
            runs.push_back(runs.back());
            runs.back().options.remote = split->remote;
        }
    }
    const std::vector<Speed> speeds = measure_alone(options.program, runs, options.n_repeats, progress);
    std::vector<Measured> measured;
    for (size_t i = 0, run = 0; i < paths.size(); i++) {
        measured.push_back({speeds[run++], {}});
        if (const Split* const split = spread_of(options, i)) measured.back().spread = {split->parts, speeds[run++]};
    }
    return measured;
}

}  // namespace

Bench bench(const BenchOptions& options, const Progress& progress) {
    check(options);
    const SpeedOptions& o = options.speed;
    Kernels kernels(o.n_threads);
    Bench result{score_machine(kernels.n_threads()), o, {}, 0};
    const std::vector<Score> before = read_scores();
    std::vector<Prediction> predictions;
    std::vector<std::string> paths;
    for (const std::string& name : options.models) {
        const Model model = read_model(name);
        model.require_weights();
        paths.push_back(model.files.front().string());
        predictions.push_back(predict(model, o, kernels, before, result.machine));
    }
    kernels.remember();
    const std::vector<Measured> measured = measure(options, paths, progress);
    std::vector<Score> scores;
    for (size_t i = 0; i < paths.size(); i++) {
        const Prediction& p = predictions[i];
        const auto memory = static_cast<double>(p.memory_bytes);
        const Speed& alone = measured[i].alone;
        BenchRow row{options.models[i], {}, {}, {}, 0, measured[i].spread};
        row.tokens_per_s = {p.corrected.tokens_per_s, alone.tokens_per_s};
        row.prompt_tokens_per_s = {p.corrected.prompt_tokens_per_s, alone.prompt_tokens_per_s};
        row.memory_bytes = {{memory, memory * (1 - p.memory_half_width), memory * (1 + p.memory_half_width)},
                            static_cast<double>(alone.peak_memory_bytes)};
        row.first_token_s = static_cast<double>(o.n_prompt) / alone.prompt_tokens_per_s;
        scores.push_back(
            score_of("tokens_per_s", result.machine, row, o, p.plain.tokens_per_s.value, row.tokens_per_s));
        scores.push_back(score_of("prompt_tokens_per_s", result.machine, row, o, p.plain.prompt_tokens_per_s.value,
                                  row.prompt_tokens_per_s));
        scores.push_back(score_of("memory_bytes", result.machine, row, o, memory, row.memory_bytes));
        result.rows.push_back(std::move(row));
        if (alone.tokens_per_s > measured[result.fastest].alone.tokens_per_s) result.fastest = i;
    }
    append_scores(scores);
    return result;
}

}  // namespace ech0
