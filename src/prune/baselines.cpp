#include "prune/baselines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ech0/error.h"
#include "prune/tensor_matrix.h"

namespace ech0 {

UnitMatrices unit_matrices(const Model& model, int64_t layer, UnitKind kind) {
    UnitMatrices units;
    const auto at = static_cast<size_t>(layer);
    const bool heads = kind == UnitKind::kv_heads;
    units.n_units = heads ? model.n_head_kv[at] : model.n_ff[at];
    for (const char* part : heads ? std::vector<const char*>{"attn_q", "attn_k", "attn_v", "attn_output"}
                                  : std::vector<const char*>{"ffn_gate", "ffn_up", "ffn_down"}) {
        const Tensor* const tensor = model.find(fmt::format("blk.{}.{}.weight", layer, part));
        if (tensor == nullptr) throw FormatError(fmt::format("layer {} has no {}.weight", layer, part));
        units.matrices.push_back(tensor);
    }
    return units;
}

std::vector<double> magnitude_scores(const Source& source, const UnitMatrices& units) {
    std::vector<double> scores(static_cast<size_t>(units.n_units));
    for (const Tensor* t : units.matrices) {
        const Matrix w = tensor_matrix(source, *t);
        const bool by_columns = t == units.matrices.back();
        const int64_t each = (by_columns ? w.cols() : w.rows()) / units.n_units;
        for (int64_t u = 0; u < units.n_units; u++)
            scores[static_cast<size_t>(u)] += static_cast<double>(
                by_columns ? w.middleCols(u * each, each).squaredNorm() : w.middleRows(u * each, each).squaredNorm());
    }
    const double total = std::accumulate(scores.begin(), scores.end(), 0.0);
    for (double& score : scores) score = total > 0 ? score / total : 0;
    return scores;
}

std::vector<double> layer_magnitudes(const Source& source) {
    const Model& model = source.model();
    std::vector<double> squares(static_cast<size_t>(model.n_layer));
    for (int64_t i = 0; i < model.n_layer; i++)
        for (const Tensor& t : model.tensors)
            if (t.name.starts_with(fmt::format("blk.{}.", i)))
                squares[static_cast<size_t>(i)] += static_cast<double>(tensor_matrix(source, t).squaredNorm());
    return squares;
}

InputMeans input_means(const Source& source, const Chunks& chunks, int64_t n_ctx, const std::set<std::string>& tensors,
                       int n_threads, const Progress& progress) {
    InputMeans means;
    std::map<std::string, int64_t> n_rows_of;
    ActivationSink sink;
    sink.wants = [&](const std::string& tensor) { return tensors.contains(tensor); };
    sink.take = [&](const std::string& tensor, int64_t, const float* x, int64_t n_rows, int64_t n_cols) {
        std::vector<double>& sum = means[tensor];
        sum.resize(static_cast<size_t>(n_cols));
        for (int64_t r = 0; r < n_rows; r++)
            for (int64_t j = 0; j < n_cols; j++) sum[static_cast<size_t>(j)] += static_cast<double>(x[r * n_cols + j]);
        n_rows_of[tensor] += n_rows;
    };
    walk_model(source.model(), source.as_f16(), chunks, {{n_ctx, n_threads}, &sink, {}, "means", progress});
    for (auto& [tensor, sum] : means)
        for (double& x : sum) x /= static_cast<double>(n_rows_of[tensor]);
    return means;
}

std::vector<double> flap_scores(const Source& source, const UnitMatrices& units, const std::vector<double>& mean_square,
                                const std::vector<double>& mean) {
    const Matrix w = tensor_matrix(source, *units.matrices.back());
    const int64_t each = w.cols() / units.n_units;
    std::vector<double> scores(static_cast<size_t>(units.n_units));
    for (int64_t j = 0; j < w.cols(); j++) {
        const auto at = static_cast<size_t>(j);
        const double variance = std::max(0.0, mean_square[at] - mean[at] * mean[at]);
        scores[static_cast<size_t>(j / each)] += variance * static_cast<double>(w.col(j).squaredNorm());
    }
    const auto n = static_cast<double>(scores.size());
    const double middle = std::accumulate(scores.begin(), scores.end(), 0.0) / n;
    double spread = 0;
    for (const double s : scores) spread += (s - middle) * (s - middle);
    spread = std::sqrt(spread / n);
    for (double& s : scores) s = spread > 0 ? (s - middle) / spread : 0;
    return scores;
}

std::vector<RemovalStep> steps_by_score(const std::vector<double>& scores, int64_t per_step) {
    std::vector<int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return scores[static_cast<size_t>(a)] < scores[static_cast<size_t>(b)];
    });
    std::vector<RemovalStep> steps;
    double gone = 0;
    for (size_t at = 0; at + static_cast<size_t>(per_step) < order.size(); at += static_cast<size_t>(per_step)) {
        const auto first = order.begin() + static_cast<std::ptrdiff_t>(at);
        RemovalStep step{{first, first + per_step}, 0};
        for (const int32_t u : step.units) gone += scores[static_cast<size_t>(u)];
        step.error = gone;
        std::sort(step.units.begin(), step.units.end());
        steps.push_back(step);
    }
    return steps;
}

}  // namespace ech0
