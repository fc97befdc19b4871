#include "prune/expert_scores.h"

#include <fmt/format.h>

#include <cmath>

#include "ech0/error.h"
#include "prune/expert_file.h"

namespace ech0 {
namespace {

/// The engine's name of what the experts put out, times the router's weights: [n_tokens, n_used] rows.
constexpr const char* weighted_output = "ffn_moe_weighted";

double norm_of(const float* x, int64_t n) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += static_cast<double>(x[j]) * static_cast<double>(x[j]);
    return std::sqrt(sum);
}

ExpertScores no_scores(const Model& model) {
    return ExpertScores(static_cast<size_t>(model.n_layer), std::vector<double>(static_cast<size_t>(model.n_expert)));
}

ExpertScores activation_scores(const Source& source, const Chunks& chunks, int64_t n_ctx, int n_threads,
                               const Progress& progress) {
    ExpertScores scores = no_scores(source.model());
    std::vector<int32_t> chosen;  // of the layer that is running
    int64_t layer = -1, n_weighted = 0;
    ActivationSink sink;
    sink.node = weighted_output;
    sink.wants = [](const std::string& tensor) { return tensor.find(".ffn_down_exps.") != std::string::npos; };
    sink.chose = [&](const std::string& tensor, std::span<const int32_t> experts, int64_t) {
        chosen.assign(experts.begin(), experts.end());
        layer = layer_of(*source.model().find(tensor));
    };
    sink.take = [&](const std::string&, int64_t matrix, const float* x, int64_t n_rows, int64_t n_cols) {
        if (matrix >= 0) return;  // inputs of the product
        if (layer < 0 || n_rows != static_cast<int64_t>(chosen.size())) return;
        for (int64_t r = 0; r < n_rows; r++)
            scores[static_cast<size_t>(layer)][static_cast<size_t>(chosen[static_cast<size_t>(r)])] +=
                norm_of(x + r * n_cols, n_cols);
        n_weighted += n_rows;
        layer = -1;
    };
    walk_model(source.model(), source.as_stored(), chunks, {{n_ctx, n_threads}, &sink, {}, "score experts", progress});
    if (n_weighted == 0)
        throw UsageError(fmt::format("{}: the engine does not show what experts of architecture {} put out",
                                     source.model().files.front().string(), source.model().architecture));
    double n_tokens = 0;
    for (const auto& chunk : chunks) n_tokens += static_cast<double>(chunk.size());
    for (auto& of_layer : scores)
        for (double& score : of_layer) score /= n_tokens;
    return scores;
}

ExpertScores magnitude_scores(const Source& source) {
    const Model& model = source.model();
    ExpertScores scores = no_scores(model);
    for (const Tensor& t : model.tensors) {
        if (!is_per_expert(model, t) || t.name.find("_exps.") == std::string::npos) continue;
        const int64_t rows_each = t.n_rows() / model.n_expert;
        std::vector<float> row(static_cast<size_t>(t.n_cols()));
        for (int64_t r = 0; rows_each > 0 && r < t.n_rows(); r++) {
            source.rows(t, r, 1, row.data());
            const double norm = norm_of(row.data(), t.n_cols());
            scores[static_cast<size_t>(layer_of(t))][static_cast<size_t>(r / rows_each)] += norm * norm;
        }
        source.release(t);
    }
    return scores;
}

}  // namespace

ExpertScores expert_scores(const Source& source, const Chunks& chunks, UnitScore score, int64_t n_ctx, int n_threads,
                           const Progress& progress) {
    switch (score) {
        case UnitScore::measured: return activation_scores(source, chunks, n_ctx, n_threads, progress);
        case UnitScore::magnitude: return magnitude_scores(source);
        case UnitScore::flap: break;
    }
    throw UsageError("--score flap knows no experts; there are measured and magnitude");
}

}  // namespace ech0
