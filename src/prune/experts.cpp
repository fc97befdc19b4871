#include "prune/experts.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "calibrate/chunks.h"
#include "compress/judge.h"
#include "ech0/error.h"
#include "model/model_hash.h"
#include "prune/expert_file.h"
#include "prune/expert_scores.h"
#include "prune/outcome.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

int64_t rounded_up(double part, int64_t each) {
    return static_cast<int64_t>(std::min(1e9, std::ceil(part / static_cast<double>(each) - 1e-9)));
}

void refuse_crumbs(const Model& model, double asked, int64_t one, const char* unit) {
    if (asked < static_cast<double>(one))
        throw UsageError(fmt::format("{:.0f} {} are less than one expert of every layer, {} {}, of {}", asked, unit,
                                     one, unit, model.files.front().string()));
}

int64_t inside(const Model& model) {
    int64_t n = 0;
    for (const Tensor& t : model.tensors) n += t.name.starts_with("blk.") ? t.n_elements : 0;
    return n;
}

int64_t by_weights(const Model& model, double n_weights) {
    refuse_crumbs(model, n_weights, params_per_expert(model), "weights");
    return rounded_up(n_weights, params_per_expert(model));
}

/// How many experts each layer loses.
int64_t n_gone(const Model& model, const PruneOptions& o) {
    if (o.kv_heads.of != Amount::Of::nothing || o.channels.of != Amount::Of::nothing ||
        o.whole_layers.of != Amount::Of::nothing || o.most_kl > 0 || o.predicted_kl > 0 || !o.untouched.empty())
        throw UsageError(
            "a mixture of experts loses whole experts, every layer equally many: ask by --experts, --remove or --size");
    if (o.budget_bytes > 0) {
        const auto over = static_cast<double>(model.size_bytes - o.budget_bytes);
        if (over <= 0) throw UsageError("the model is no larger than --size: nothing is to be removed");
        return rounded_up(over, bytes_per_expert(model));
    }
    switch (o.experts.of) {
        case Amount::Of::units: return static_cast<int64_t>(o.experts.value);
        case Amount::Of::weights: return by_weights(model, o.experts.value);
        case Amount::Of::share:
            return static_cast<int64_t>(std::lround(o.experts.value * static_cast<double>(model.n_expert)));
        case Amount::Of::nothing: break;
    }
    const double share = o.remove.of == Amount::Of::share ? static_cast<double>(inside(model)) : 1;
    return by_weights(model, o.remove.value * share);
}

void check_amount(const Model& model, const PruneOptions& o, int64_t n) {
    const auto given = [](const Amount& amount) { return amount.of != Amount::Of::nothing; };
    if (given(o.remove) + given(o.experts) + (o.budget_bytes > 0) != 1)
        throw UsageError("give one of --experts, --remove and --size: how much is to go?");
    if (n < 1) throw UsageError(fmt::format("less than one of {} experts is to go", model.n_expert));
    if (n > model.n_expert - model.n_expert_used)
        throw UsageError(fmt::format("{} of {} experts are to go, but each token is sent to {} of them: at most {} can",
                                     n, model.n_expert, model.n_expert_used, model.n_expert - model.n_expert_used));
}

/// The best ones, in their old order.
std::vector<int32_t> best_of(const std::vector<double>& scores, int64_t n_kept) {
    std::vector<int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
    });
    order.resize(static_cast<size_t>(n_kept));
    std::sort(order.begin(), order.end());
    return order;
}

std::vector<PrunedLayer> layers_of(const Model& model, const KeptExperts& kept) {
    std::vector<PrunedLayer> layers;
    for (int64_t i = 0; i < model.n_layer; i++) {
        const auto at = static_cast<size_t>(i);
        PrunedLayer layer{i, model.n_head_kv[at], model.n_head_kv[at], model.n_ff[at], model.n_ff[at]};
        layer.n_experts_before = model.n_expert;
        for (int32_t e = 0; e < model.n_expert; e++)
            if (!std::binary_search(kept[at].begin(), kept[at].end(), e)) layer.experts_gone.push_back(e);
        layers.push_back(layer);
    }
    return layers;
}

}  // namespace

Pruning prune_experts(const Model& model, const PruneOptions& o, const Progress& progress) {
    const auto began = std::chrono::steady_clock::now();
    model.require_weights();
    check_experts(model);
    const int64_t n = n_gone(model, o);
    check_amount(model, o, n);
    start_engine();
    const int n_threads = o.n_threads > 0 ? o.n_threads : default_threads();
    const Source source(model);
    const CalibrationChunks all = cut_into_chunks(model, o.text.text, o.n_ctx);

    const Chunks chunks = spread_chunks(all.statistics, std::max<int64_t>(1, o.n_tokens / o.n_ctx));
    KeptExperts kept;
    for (const auto& of_layer : expert_scores(source, chunks, o.score, o.n_ctx, n_threads, progress))
        kept.push_back(best_of(of_layer, model.n_expert - n));
    const Judge judge(model, source.as_stored(), spread_chunks(all.selection, judged_chunks),
                      {o.n_ctx, n_threads, progress});
    Pruning result;
    write_experts(source, kept, fmt::format("prune {} of {} experts", n, model.n_expert), o.out,
                  [&](const Model& made) { result.kl_unrepaired = mean_of(judge.kl(made, Source(made).as_stored())); });
    result.n_tokens_judged = judge.n_tokens();
    result.repair = Repair::off;
    result.source_sha256 = sha256_of_model(model, progress);
    result.layers = layers_of(model, kept);
    describe_files(model, read_model(o.out.string()), result, progress);
    result.instead = quantize_instead(source, result.size_bytes, judge);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return result;
}

}  // namespace ech0
