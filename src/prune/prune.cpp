#include "prune/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <numeric>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/process.h"
#include "base/sha256.h"
#include "calibrate/chunks.h"
#include "calibrate/moments.h"
#include "compress/sensitivity.h"
#include "compress/workspace.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "prune/choose.h"
#include "prune/mend.h"
#include "prune/pruned_file.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

constexpr float ridge = 0.01F;

// Chunks that the result is measured on.
constexpr int64_t judged_chunks = 4;

// So large a share of a layer's units may go; at least one stays.
constexpr double most_share = 0.9;

struct Job {
    const Model& model;
    const PruneOptions& options;
    const Progress& progress;
    Source source;
    int n_threads;
    Workspace work;
    Chunks chunks, judged;
    MomentStore moments;
};

/// H of a whole input: ranges beside each other, nothing between them.
Matrix whole_moment(const Moments& moments) {
    Matrix h = Matrix::Zero(moments.n_cols(), moments.n_cols());
    for (size_t r = 0; r < moments.ranges().size(); r++) {
        const ColumnRange& range = moments.ranges()[r];
        h.block(range.first, range.first, range.n, range.n) = moments.of(0, r);
    }
    return h;
}

Matrix weights_of(const Job& job, const Tensor& t) {
    Matrix w(t.n_rows(), t.n_cols());
    job.source.rows(t, 0, t.n_rows(), w.data());
    job.source.release(t);
    return w;
}

const Tensor& output_of(const Model& model, const CutCurve& curve) {
    const char* const part = curve.kind == UnitKind::kv_heads ? "attn_output" : "ffn_down";
    const Tensor* const tensor = model.find(fmt::format("blk.{}.{}.weight", curve.layer, part));
    if (tensor == nullptr) throw FormatError(fmt::format("layer {} has no {}.weight", curve.layer, part));
    return *tensor;
}

int64_t unit_columns(const Model& model, const CutCurve& curve) {
    const auto at = static_cast<size_t>(curve.layer);
    return curve.kind == UnitKind::kv_heads ? model.n_embd_head_v * model.n_head[at] / model.n_head_kv[at] : 1;
}

/// Squares of each unit's own weights, in all matrices that it runs through.
std::vector<double> magnitudes(const Job& job, const CutCurve& curve, int64_t n_units) {
    std::vector<double> sums(static_cast<size_t>(n_units));
    const bool heads = curve.kind == UnitKind::kv_heads;
    const auto parts = heads ? std::vector<std::string>{"attn_q", "attn_k", "attn_v", "attn_output"}
                             : std::vector<std::string>{"ffn_gate", "ffn_up", "ffn_down"};
    for (const std::string& part : parts) {
        const Tensor* const t = job.model.find(fmt::format("blk.{}.{}.weight", curve.layer, part));
        if (t == nullptr) continue;
        const Matrix w = weights_of(job, *t);
        const bool by_columns = part == parts.back();
        const int64_t each = (by_columns ? w.cols() : w.rows()) / n_units;
        for (int64_t u = 0; u < n_units; u++)
            sums[static_cast<size_t>(u)] += static_cast<double>(
                by_columns ? w.middleCols(u * each, each).squaredNorm() : w.middleRows(u * each, each).squaredNorm());
    }
    return sums;
}

/// Smallest units first; their squares as a share of all stand for the loss.
std::vector<RemovalStep> magnitude_steps(const std::vector<double>& sums, int64_t per_step) {
    std::vector<int32_t> order(sums.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return sums[static_cast<size_t>(a)] < sums[static_cast<size_t>(b)]; });
    const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
    std::vector<RemovalStep> steps;
    double gone = 0;
    for (size_t at = 0; at + static_cast<size_t>(per_step) < order.size(); at += static_cast<size_t>(per_step)) {
        const auto first = order.begin() + static_cast<std::ptrdiff_t>(at);
        RemovalStep step{{first, first + per_step}, 0};
        for (const int32_t u : step.units) gone += sums[static_cast<size_t>(u)];
        step.error = total > 0 ? gone / total : 0;
        std::sort(step.units.begin(), step.units.end());
        steps.push_back(step);
    }
    return steps;
}

/// The last unit may go too, and with it the layer's whole attention: nothing is left to make up for it.
void lose_all(CutCurve& curve, int64_t n_units) {
    std::vector<bool> gone(static_cast<size_t>(n_units));
    for (const RemovalStep& step : curve.steps)
        for (const int32_t u : step.units) gone[static_cast<size_t>(u)] = true;
    RemovalStep last{{}, 1};
    for (size_t u = 0; u < gone.size(); u++)
        if (!gone[u]) last.units.push_back(static_cast<int32_t>(u));
    curve.steps.push_back(last);
    curve.most_steps = static_cast<int64_t>(curve.steps.size());
}

/// The curves without gains: what each removal would lose locally.
std::vector<CutCurve> local_curves(Job& job) {
    const Model& model = job.model;
    std::vector<CutCurve> curves;
    for (int64_t i = 0; i < model.n_layer; i++) {
        const auto at = static_cast<size_t>(i);
        const int64_t kv = model.n_head_kv[at], ff = model.n_ff[at];
        if (kv > 1)
            curves.push_back(
                {i, UnitKind::kv_heads, layer_params(model, i, 2, 1) - layer_params(model, i, 1, 1), 0, {}, kv - 1});
        if (ff > 32)
            curves.push_back(
                {i, UnitKind::channels, layer_params(model, i, 1, 2) - layer_params(model, i, 1, 1), 0, {}, 0});
    }
    std::atomic<int64_t> done = 0;
    parallel_for(static_cast<int64_t>(curves.size()), job.n_threads, [&](int64_t c) {
        CutCurve& curve = curves[static_cast<size_t>(c)];
        const Tensor& tensor = output_of(model, curve);
        const bool heads = curve.kind == UnitKind::kv_heads;
        const int64_t per_step = heads ? 1 : job.options.fine ? 32 : std::min<int64_t>(256, tensor.n_cols() / 4);
        if (job.options.score == UnitScore::magnitude)
            curve.steps =
                magnitude_steps(magnitudes(job, curve, tensor.n_cols() / unit_columns(model, curve)), per_step);
        else
            curve.steps = removal_steps(weights_of(job, tensor), whole_moment(job.moments.get(tensor.name)),
                                        unit_columns(model, curve), per_step, ridge);
        if (heads && curve.layer > 0) lose_all(curve, model.n_head_kv[static_cast<size_t>(curve.layer)]);
        if (!heads) curve.most_steps = static_cast<int64_t>(most_share * static_cast<double>(curve.steps.size() + 1));
        if (job.progress) job.progress("score units", ++done, static_cast<int64_t>(curves.size()));
    });
    return curves;
}

// A probe that loses less than this share of the output's square says nothing: dead units cost nothing, and no others
// may be judged by them.
constexpr double least_probe_error = 0.02;

/// The step that a curve is probed at: about this share of its units gone, and something felt.
size_t probe_step(const CutCurve& curve, double share) {
    const auto n = static_cast<double>(curve.steps.size() + 1);
    size_t step = std::min(curve.steps.size(), std::max<size_t>(1, static_cast<size_t>(share * n + 0.5))) - 1;
    while (step + 1 < curve.steps.size() && curve.steps[step].error < least_probe_error) step++;
    return step;
}

/// Each curve's gain: units are really taken from that layer alone, the rest of its matrix made up for them, and the
/// whole model's output compared.
void measure_gains(Job& job, std::vector<CutCurve>& curves, double share) {
    std::map<std::string, CutCurve*> by_tensor;
    std::vector<const Tensor*> tensors;
    for (CutCurve& curve : curves) {
        if (curve.steps.empty()) continue;
        const Tensor& tensor = output_of(job.model, curve);
        by_tensor[tensor.name] = &curve;
        tensors.push_back(&tensor);
    }
    const auto disturb = [&](const Tensor& t) {
        const CutCurve& curve = *by_tensor.at(t.name);
        std::vector<int32_t> units;
        for (size_t i = 0; i <= probe_step(curve, share); i++)
            units.insert(units.end(), curve.steps[i].units.begin(), curve.steps[i].units.end());
        std::sort(units.begin(), units.end());
        const Matrix a = without_units(weights_of(job, t), whole_moment(job.moments.get(t.name)),
                                       unit_columns(job.model, curve), units, ridge);
        std::vector<std::byte> bytes(ggml_row_size(plain_type(t), t.n_cols()) * static_cast<size_t>(t.n_rows()));
        from_float(plain_type(t), a.data(), bytes.data(), a.size());
        return bytes;
    };
    for (const Disturbance& d : measure_disturbances(job.source, probe_chunks(job.judged, job.options.probe_tokens),
                                                     tensors, disturb, job.n_threads, job.progress)) {
        CutCurve& curve = *by_tensor.at(d.tensor);
        const double error = curve.steps[probe_step(curve, share)].error;
        curve.gain = error > 0 ? d.kl_divergence / error : 0;
    }
}

std::vector<std::vector<float>> logits_of(const Job& job, const Model& model, const Weights& weights,
                                          const char* stage) {
    std::vector<std::vector<float>> logits(job.judged.size());
    Walk walk{{job.options.n_ctx, job.n_threads}, nullptr, {}, stage, job.progress};
    walk.on_logits = [&](int64_t c, std::span<const float> l) {
        logits[static_cast<size_t>(c)].assign(l.begin(), l.end());
    };
    walk_model(model, weights, job.judged, walk);
    return logits;
}

double divergence(const Job& job, const std::vector<std::vector<float>>& reference, const Model& pruned) {
    const Source source(pruned);
    const std::vector<std::vector<float>> logits = logits_of(job, pruned, source.as_stored(), "measure");
    double sum = 0;
    size_t n = 0;
    for (size_t c = 0; c < logits.size(); c++)
        for (const double kl : kl_per_position(reference[c], logits[c], job.model.n_vocab, job.n_threads))
            sum += kl, n++;
    return sum / static_cast<double>(n);
}

/// Weights in the layers; those outside, embedding and output, stay.
int64_t params_inside(const Model& model) {
    int64_t inside = 0;
    for (const Tensor& t : model.tensors) inside += t.name.starts_with("blk.") ? t.n_elements : 0;
    return inside;
}

/// Of the weights in the layers this many are to go.
int64_t params_to_remove(const Job& job) {
    const PruneOptions& o = job.options;
    int64_t bytes = 0;
    for (const Tensor& t : job.model.tensors)
        bytes += static_cast<int64_t>(ggml_row_size(plain_type(t), t.n_cols())) * t.n_rows();
    if (o.budget_bytes > 0) {
        const int64_t head = job.model.size_bytes - job.model.tensor_bytes;
        const int64_t over = bytes + head - o.budget_bytes;
        if (over <= 0)
            throw UsageError(fmt::format("{} in half precision is {}, no more than --size: nothing is to be removed",
                                         job.model.files.front().string(), format_disk(bytes + head)));
        return over / static_cast<int64_t>(sizeof(ggml_fp16_t)) + 1;
    }
    return static_cast<int64_t>(o.remove_share * static_cast<double>(params_inside(job.model)));
}

std::vector<PrunedLayer> layers_of(const Model& model, const Structure& structure) {
    std::vector<PrunedLayer> layers;
    for (const KeptLayer& l : structure.layers) {
        const auto at = static_cast<size_t>(l.layer);
        layers.push_back({l.layer, model.n_head_kv[at], static_cast<int64_t>(l.kv_heads.size()), model.n_ff[at],
                          static_cast<int64_t>(l.channels.size())});
    }
    return layers;
}

Workspace open_work(const PruneOptions& o, const std::string& source_sha256) {
    std::filesystem::path folder = o.out;
    folder += ".ech0-work";
    return {folder,
            fmt::format("ech0 {} prune {} text {} n_ctx {} tokens {}", ECH0_VERSION, source_sha256, o.text.sha256,
                        o.n_ctx, o.n_tokens),
            false};
}

}  // namespace

Pruning prune(const Model& model, const PruneOptions& options, const Progress& progress) {
    const auto began = std::chrono::steady_clock::now();
    model.require_weights();
    check_prunable(model);
    if ((options.remove_share > 0) + (options.budget_bytes > 0) != 1 || options.remove_share >= 1)
        throw UsageError("give one of --size and --remove (below 100%): how much is to go?");
    start_engine();
    Pruning result;
    result.source_sha256 = cached_sha256_of_file(model.files.front(), progress);
    const CalibrationChunks all = cut_into_chunks(model, options.text.text, options.n_ctx);
    Workspace work = open_work(options, result.source_sha256);
    const std::filesystem::path moments = work.path("moments"), cut_file = work.path("cut.gguf");
    Job job{model,
            options,
            progress,
            Source(model),
            options.n_threads > 0 ? options.n_threads : default_threads(),
            std::move(work),
            spread_chunks(all.statistics, std::max<int64_t>(1, options.n_tokens / options.n_ctx)),
            spread_chunks(all.selection, judged_chunks),
            MomentStore(moments)};

    // What could go, and what it would cost.
    gather_moments(model, job.source.as_f16(), job.chunks, options.n_ctx, job.n_threads, job.moments, progress);
    const int64_t to_remove = params_to_remove(job);
    std::vector<CutCurve> curves = local_curves(job);
    if (options.score == UnitScore::measured)
        measure_gains(job, curves, static_cast<double>(to_remove) / static_cast<double>(params_inside(model)));
    else
        for (CutCurve& curve : curves) curve.gain = 1;
    const Choice choice = choose_units(model, curves, to_remove);

    // The cut and the repair.
    const std::string recipe = fmt::format("prune {} of {} weights", choice.removed_params, model.n_params);
    write_pruned(job.source, choice.structure, {}, recipe, cut_file);
    const std::vector<std::vector<float>> reference = logits_of(job, model, job.source.as_f16(), "original");
    const Model cut = read_model(cut_file.string());
    result.kl_unrepaired = divergence(job, reference, cut);
    std::map<std::string, std::vector<std::byte>> mended;
    if (options.repair) {
        const Source pruned(cut);
        mend({job.source, pruned, choice.structure, job.chunks, options.n_ctx, job.n_threads,
              [&](const Tensor& t, std::span<const std::byte> b) { mended[t.name].assign(b.begin(), b.end()); },
              progress});
    }
    const auto repaired = [&](const std::string& name) {
        const auto found = mended.find(name);
        return found == mended.end() ? std::span<const std::byte>() : std::span<const std::byte>(found->second);
    };
    write_pruned(job.source, choice.structure, repaired, recipe, options.out);
    const Model made = read_model(options.out.string());
    if (options.repair) result.kl_repaired = divergence(job, reference, made);

    result.source_path = model.files.front().string();
    result.path = options.out.string();
    result.sha256 = cached_sha256_of_file(options.out, progress);
    result.size_bytes = made.size_bytes;
    result.n_params_before = model.n_params;
    result.n_params = made.n_params;
    result.layers = layers_of(model, choice.structure);
    if (options.score == UnitScore::measured) result.predicted_kl = choice.predicted_kl;
    result.n_tokens_judged = static_cast<int64_t>(job.judged.size()) * options.n_ctx;
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    result.peak_memory_bytes = peak_memory_bytes();
    if (!options.keep_work) job.work.remove();
    return result;
}

}  // namespace ech0
