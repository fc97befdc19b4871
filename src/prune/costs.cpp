#include "prune/costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "base/parallel.h"
#include "compress/sensitivity.h"
#include "ech0/error.h"
#include "prune/baselines.h"
#include "prune/tensor_matrix.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

// So large a share of a layer's channels may go.
constexpr double most_share = 0.9;

// A probe that loses less than this share of the output's square says nothing: dead units cost nothing, and no others
// may be judged by them.
constexpr double least_probe_error = 0.02;

const Tensor& output_of(const Model& model, const CutCurve& curve) {
    return *unit_matrices(model, curve.layer, curve.kind).matrices.back();
}

int64_t unit_columns(const Model& model, const CutCurve& curve) {
    const UnitMatrices units = unit_matrices(model, curve.layer, curve.kind);
    return units.matrices.back()->n_cols() / units.n_units;
}

/// What there is to cut, without costs.
std::vector<CutCurve> empty_curves(const CostJob& job) {
    const Model& model = job.source.model();
    std::vector<CutCurve> curves;
    for (int64_t i = 0; i < model.n_layer; i++) {
        if (job.untouched.contains(i)) continue;
        const auto at = static_cast<size_t>(i);
        if (model.n_head_kv[at] > 1)
            curves.push_back(
                {i, UnitKind::kv_heads, layer_params(model, i, 2, 1) - layer_params(model, i, 1, 1), 0, {}, 0});
        if (model.n_ff[at] > 32)
            curves.push_back(
                {i, UnitKind::channels, layer_params(model, i, 1, 2) - layer_params(model, i, 1, 1), 0, {}, 0});
    }
    return curves;
}

int64_t units_per_step(const CostJob& job, const CutCurve& curve) {
    if (curve.kind == UnitKind::kv_heads) return 1;
    return job.fine ? 32 : std::min<int64_t>(256, output_of(job.source.model(), curve).n_cols() / 4);
}

/// The last unit may go too, and with it the layer's whole attention: nothing is left to make up for it. Not in the
/// first layer: the engine takes the width of heads from there.
void lose_all(CutCurve& curve, int64_t n_units) {
    std::vector<bool> gone(static_cast<size_t>(n_units));
    for (const RemovalStep& step : curve.steps)
        for (const int32_t u : step.units) gone[static_cast<size_t>(u)] = true;
    RemovalStep last{{}, std::max(1.0, curve.steps.empty() ? 1.0 : curve.steps.back().error)};
    for (size_t u = 0; u < gone.size(); u++)
        if (!gone[u]) last.units.push_back(static_cast<int32_t>(u));
    curve.steps.push_back(last);
}

std::vector<RemovalStep> measured_steps(const CostJob& job, const CutCurve& curve) {
    const Tensor& tensor = output_of(job.source.model(), curve);
    return removal_steps(tensor_matrix(job.source, tensor), whole_moment(job.moments.get(tensor.name)),
                         unit_columns(job.source.model(), curve), units_per_step(job, curve), removal_ridge);
}

/// Scores that FLAP compares over all layers: each weight counts as much as its unit's, the least as nothing.
std::vector<std::vector<double>> flap_scores_of(const CostJob& job, const std::vector<CutCurve>& curves) {
    const Model& model = job.source.model();
    std::set<std::string> tensors;
    for (const CutCurve& curve : curves) tensors.insert(output_of(model, curve).name);
    const InputMeans means = input_means(job.source, job.chunks, job.n_ctx, tensors, job.n_threads, job.progress);
    std::vector<std::vector<double>> scores;
    double least = 0;
    for (const CutCurve& curve : curves) {
        const Tensor& tensor = output_of(model, curve);
        const Matrix h = whole_moment(job.moments.get(tensor.name));
        std::vector<double> mean_square;
        for (int64_t j = 0; j < h.rows(); j++) mean_square.push_back(static_cast<double>(h(j, j)));
        scores.push_back(
            flap_scores(job.source, unit_matrices(model, curve.layer, curve.kind), mean_square, means.at(tensor.name)));
        for (const double s : scores.back()) least = std::min(least, s);
    }
    for (size_t c = 0; c < curves.size(); c++)
        for (double& s : scores[c]) s = (s - least) * static_cast<double>(curves[c].params_per_unit);
    return scores;
}

/// The curves without gains: what each removal would lose locally, or what a baseline takes for it.
std::vector<CutCurve> local_curves(const CostJob& job) {
    const Model& model = job.source.model();
    std::vector<CutCurve> curves = empty_curves(job);
    std::vector<std::vector<double>> flap;
    if (job.score == UnitScore::flap) flap = flap_scores_of(job, curves);
    std::atomic<int64_t> done = 0;
    parallel_for(static_cast<int64_t>(curves.size()), job.n_threads, [&](int64_t c) {
        CutCurve& curve = curves[static_cast<size_t>(c)];
        switch (job.score) {
            case UnitScore::measured: curve.steps = measured_steps(job, curve); break;
            case UnitScore::magnitude:
                curve.steps =
                    steps_by_score(magnitude_scores(job.source, unit_matrices(model, curve.layer, curve.kind)),
                                   units_per_step(job, curve));
                break;
            case UnitScore::flap:
                curve.steps = steps_by_score(flap[static_cast<size_t>(c)], units_per_step(job, curve));
                break;
        }
        const bool heads = curve.kind == UnitKind::kv_heads;
        if (heads && curve.layer > 0) lose_all(curve, model.n_head_kv[static_cast<size_t>(curve.layer)]);
        const auto n = static_cast<int64_t>(curve.steps.size());
        curve.most_steps = heads ? n : static_cast<int64_t>(most_share * static_cast<double>(n + 1));
        if (job.progress) job.progress("score units", ++done, static_cast<int64_t>(curves.size()));
    });
    return curves;
}

/// The step that a curve is probed at: about this share of its units gone, and something felt.
size_t probe_step(const CutCurve& curve, double share) {
    const auto n = static_cast<double>(curve.steps.size() + 1);
    size_t step = std::min(curve.steps.size(), std::max<size_t>(1, static_cast<size_t>(share * n + 0.5))) - 1;
    while (step + 1 < curve.steps.size() && curve.steps[step].error < least_probe_error) step++;
    return step;
}

std::vector<std::byte> as_plain(const Tensor& t, const Matrix& values) {
    std::vector<std::byte> bytes(ggml_row_size(plain_type(t), t.n_cols()) * static_cast<size_t>(t.n_rows()));
    from_float(plain_type(t), values.data(), bytes.data(), values.size());
    return bytes;
}

/// Each curve's gain: units are really taken from that layer alone, the rest of its matrix made up for them, and the
/// whole model's output compared.
void measure_gains(const CostJob& job, std::vector<CutCurve>& curves) {
    std::map<std::string, CutCurve*> by_tensor;
    std::vector<const Tensor*> tensors;
    for (CutCurve& curve : curves) {
        if (curve.steps.empty()) continue;
        const Tensor& tensor = output_of(job.source.model(), curve);
        by_tensor[tensor.name] = &curve;
        tensors.push_back(&tensor);
    }
    const auto disturb = [&](const Tensor& t) {
        const CutCurve& curve = *by_tensor.at(t.name);
        std::vector<int32_t> units;
        for (size_t i = 0; i <= probe_step(curve, job.share); i++)
            units.insert(units.end(), curve.steps[i].units.begin(), curve.steps[i].units.end());
        std::sort(units.begin(), units.end());
        return as_plain(t, without_units(tensor_matrix(job.source, t), whole_moment(job.moments.get(t.name)),
                                         unit_columns(job.source.model(), curve), units, removal_ridge));
    };
    for (const Disturbance& d :
         measure_disturbances(job.source, job.probes, tensors, disturb, job.n_threads, job.progress)) {
        CutCurve& curve = *by_tensor.at(d.tensor);
        const size_t step = probe_step(curve, job.share);
        const double error = curve.steps[step].error;
        curve.gain = error > 0 ? d.kl_divergence / error : 0;
        curve.n_probed = step + 1;
    }
}

/// Each layer alone passed by: what it would add to the stream is nothing. The first one stays, see lose_all.
std::vector<LayerCost> measure_layers(const CostJob& job) {
    const Model& model = job.source.model();
    std::vector<TensorGroup> groups;
    std::vector<LayerCost> costs;
    for (int64_t i = 1; i < model.n_layer; i++) {
        if (job.untouched.contains(i)) continue;
        TensorGroup group;
        for (const char* part : {"attn_output.weight", "attn_output.bias", "ffn_down.weight", "ffn_down.bias"})
            if (const Tensor* const t = model.find(fmt::format("blk.{}.{}", i, part))) group.push_back(t);
        if (group.empty()) continue;
        groups.push_back(group);
        costs.push_back({i, 0});
    }
    const auto nothing = [](const Tensor& t) { return as_plain(t, Matrix::Zero(t.n_rows(), t.n_cols())); };
    const std::vector<Disturbance> measured =
        measure_disturbances(job.source, job.probes, groups, nothing, job.n_threads, job.progress);
    for (size_t i = 0; i < costs.size(); i++) costs[i].kl = measured[i].kl_divergence;
    return costs;
}

}  // namespace

CutCosts measure_costs(const CostJob& job) {
    CutCosts costs{local_curves(job), {}};
    if (job.score == UnitScore::measured) {
        measure_gains(job, costs.curves);
        costs.layers = measure_layers(job);
        for (const auto& chunk : job.probes) costs.n_tokens += static_cast<int64_t>(chunk.size());
    } else {
        for (CutCurve& curve : costs.curves) curve.gain = 1;
    }
    return costs;
}

}  // namespace ech0
