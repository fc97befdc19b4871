#include "kv/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "ech0/error.h"
#include "fit/fit.h"
#include "kv/cache_bytes.h"
#include "kv/loss.h"
#include "machine/budget.h"
#include "machine/score_log.h"
#include "runtime/engine.h"
#include "runtime/footprint.h"
#include "verify/verify.h"

namespace ech0 {
namespace {

constexpr int64_t usual_n_scored = 128;

/// The asked types in their usual order, f16 among them.
std::vector<std::string> types_of(const std::vector<std::string>& asked) {
    const std::vector<std::string>& known = kv_type_names();
    for (const std::string& name : asked)
        if (std::find(known.begin(), known.end(), name) == known.end())
            throw UsageError(
                fmt::format("a cache of type '{}': there are {}", printable(name), fmt::join(known, ", ")));
    if (asked.empty()) return known;
    std::vector<std::string> types;
    std::copy_if(known.begin(), known.end(), std::back_inserter(types), [&](const std::string& name) {
        return name == "f16" || std::find(asked.begin(), asked.end(), name) != asked.end();
    });
    return types;
}

KvLossOptions loss_options(const KvPlanOptions& options) {
    KvLossOptions loss;
    loss.n_threads = options.n_threads;
    loss.n_scored = options.n_scored > 0 ? options.n_scored : std::min(usual_n_scored, options.n_ctx / 8);
    loss.depths = options.depths;
    if (loss.depths.empty()) loss.depths = {options.n_ctx / 4, options.n_ctx / 2, options.n_ctx};
    std::sort(loss.depths.begin(), loss.depths.end());
    if (loss.depths.back() > options.n_ctx)
        throw UsageError(fmt::format("a depth of {} tokens in a context of {}", loss.depths.back(), options.n_ctx));
    check(loss);
    return loss;
}

/// Stretches of one context each, spread evenly over the text.
Chunks spread_texts(const Session& session, const EvaluationText& text, int64_t n_ctx, int64_t n_texts) {
    const Chunks all = evaluation_chunks(session, text, n_ctx, 0);
    const auto n_all = static_cast<int64_t>(all.size()), n = std::min(n_texts, n_all);
    Chunks texts;
    for (int64_t i = 0; i < n; i++) texts.push_back(all[static_cast<size_t>(i * n_all / n)]);
    return texts;
}

/// All pairs that the engine can make for this model, with their bytes; the others with the reason.
void add_pairs(KvPlan& plan, const Model& model, const KvPlanOptions& options) {
    const FootprintProbe probe(model);
    for (const std::string& k : types_of(options.types_k)) {
        for (const std::string& v : types_of(options.types_v)) {
            KvPair pair;
            pair.types = {k, v};
            std::string why = why_no_cache(model, pair.types);
            if (why.empty()) {
                try {
                    const ContextBytes bytes = predict_context_bytes(probe, model, options.n_ctx, pair.types,
                                                                     options.n_threads, options.on_cpu);
                    pair.kv_bytes = bytes.kv_bytes;
                    pair.predicted_bytes = bytes.total_bytes();
                } catch (const EngineError& error) {
                    why = error.what();
                }
            }
            if (why.empty())
                plan.pairs.push_back(std::move(pair));
            else
                plan.refused.push_back({cache_name(pair.types), why});
        }
    }
    if (plan.pairs.empty() || plan.pairs.front().types != CacheTypes{})
        throw EngineError(fmt::format("{}: the engine makes no f16 cache for it: {}", printable(model.asked),
                                      plan.refused.front().why));
    if (plan.pairs.size() == 1)
        throw UsageError(fmt::format("{}: there is nothing to choose from beside f16{}", printable(model.asked),
                                     plan.refused.empty() ? "" : ": " + plan.refused.front().why));
}

KvPair& find_pair(KvPlan& plan, const CacheTypes& types) {
    return *std::find_if(plan.pairs.begin(), plan.pairs.end(), [&](const KvPair& p) { return p.types == types; });
}

/// The work of measuring, once with everything that it needs.
struct Measuring {
    const Session& weights;
    const Model& model;
    const Chunks& texts;
    const KvLossOptions& options;
    const Progress& progress;

    void measure(KvPlan& plan, const std::vector<CacheTypes>& types) const {
        for (const KvLoss& loss : measure_kv_losses(weights, texts, types, options, progress)) {
            KvPair& pair = find_pair(plan, loss.types);
            pair.kl_by_depth = loss.kl_by_depth;
            pair.top1_by_depth.clear();
            for (const Estimate& top1 : loss.top1_by_depth) pair.top1_by_depth.push_back(top1.mean);
            pair.measured = true;
        }
    }
};

/// Keys alone and values alone. f16 is what the others are compared with.
void measure_singles(KvPlan& plan, const Measuring& measuring) {
    const size_t n_depths = measuring.options.depths.size();
    KvPair& plain = plan.pairs.front();
    plain.kl_by_depth.assign(n_depths, {});
    plain.top1_by_depth.assign(n_depths, 1.0);
    plain.measured = true;
    std::vector<CacheTypes> singles;
    for (const KvPair& pair : plan.pairs)
        if ((pair.types.k == "f16") != (pair.types.v == "f16")) singles.push_back(pair.types);
    measuring.measure(plan, singles);
}

/// A pair whose parts could not be measured alone is measured itself.
void predict_others(KvPlan& plan, const Measuring& measuring) {
    std::vector<CacheTypes> alone;
    for (KvPair& pair : plan.pairs) {
        if (pair.measured) continue;
        const auto part = [&](const CacheTypes& types) {
            const auto found = std::find_if(plan.pairs.begin(), plan.pairs.end(),
                                            [&](const KvPair& p) { return p.types == types && p.measured; });
            return found == plan.pairs.end() ? nullptr : &*found;
        };
        const KvPair *keys = part({pair.types.k, "f16"}), *values = part({"f16", pair.types.v});
        if (keys == nullptr || values == nullptr)
            alone.push_back(pair.types);
        else
            pair.kl_by_depth = predicted_pair(*keys, *values).kl_by_depth;
    }
    if (!alone.empty()) measuring.measure(plan, alone);
}

void measure_front(KvPlan& plan, const Measuring& measuring) {
    for (;;) {
        mark_front(plan.pairs);
        std::vector<CacheTypes> open;
        for (const KvPair& pair : plan.pairs)
            if (pair.on_front && !pair.measured) open.push_back(pair.types);
        if (open.empty()) return;
        measuring.measure(plan, open);
    }
}

void measure_memory(KvPlan& plan, const Model& model, const KvPlanOptions& options, const Progress& progress) {
    if (options.program.empty()) return;
    const auto wanted = [](const KvPair& pair) { return pair.on_front; };
    const int64_t n = std::count_if(plan.pairs.begin(), plan.pairs.end(), wanted);
    int64_t done = 0;
    for (KvPair& pair : plan.pairs) {
        if (!wanted(pair)) continue;
        if (progress) progress("measure memory alone", done++, n);
        const ContextBytes bytes =
            context_bytes_alone(options.program, model, options.n_ctx, pair.types, options.n_threads);
        pair.measured_kv_bytes = bytes.kv_bytes;
        pair.measured_bytes = bytes.total_bytes();
    }
}

void name_everything(KvPlan& plan, const Model& model, const EvaluationText& text, const KvPlanOptions& options,
                     const Progress& progress) {
    plan.model = model.asked;
    plan.model_sha256 = sha256_of_model(model, progress);
    plan.text = text.name;
    plan.text_sha256 = text.sha256;
    plan.engine = engine_description();
    plan.machine = score_machine(options.n_threads > 0 ? options.n_threads : default_threads());
    plan.n_ctx = options.n_ctx;
    plan.most_kl = options.most_kl;
}

}  // namespace

KvPlan make_kv_plan(const Model& model, const EvaluationText& text, const KvPlanOptions& options,
                    const Progress& progress) {
    const auto began = std::chrono::steady_clock::now();
    model.require_weights();
    check_context(model, options.n_ctx);
    const KvLossOptions loss = loss_options(options);
    start_engine();
    KvPlan plan;
    add_pairs(plan, model, options);
    name_everything(plan, model, text, options, progress);
    plan.depths = loss.depths;
    {
        const Session weights(
            model, {.n_ctx = 32, .n_outputs = 1, .n_threads = options.n_threads, .mapped = !fits_memory(model)});
        const Chunks texts = spread_texts(weights, text, options.n_ctx, options.n_texts);
        plan.n_texts = static_cast<int64_t>(texts.size());
        plan.n_judged = plan.n_texts * loss.n_scored;
        const Measuring measuring{weights, model, texts, loss, progress};
        measure_singles(plan, measuring);
        predict_others(plan, measuring);
        measure_front(plan, measuring);
    }
    measure_memory(plan, model, options, progress);
    std::stable_sort(plan.pairs.begin(), plan.pairs.end(),
                     [](const KvPair& a, const KvPair& b) { return a.predicted_bytes > b.predicted_bytes; });
    plan.chosen = choose_pair(plan.pairs, options.most_kl);
    plan.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return plan;
}

}  // namespace ech0
