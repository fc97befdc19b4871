#include "compress/polish.h"

#include <cstring>

#include "compress/bias_correction.h"
#include "compress/output_norm.h"
#include "runtime/divergence.h"

namespace ech0 {
namespace {

/// One way to change small tensors.
struct Way {
    std::string name;
    std::string why_not;  ///< it does not apply to this model; empty if it does
    std::function<SmallTensors(const Weights& rounded)> make;
};

constexpr const char* last_norm = "output_norm.weight";

std::string why_no_last_norm(const Model& model) {
    const Tensor* norm = model.find(last_norm);
    if (norm == nullptr || norm->type != GGML_TYPE_F32) return "this model stores no such norm in F32";
    return model.find("output_norm.bias") != nullptr ? "this model's last norm has a bias" : "";
}

SmallTensors fitted_last_norm(const PolishJob& job, const Weights& rounded) {
    const Model& model = job.source.model();
    const HeadText text = read_head(model, job.source.as_stored(), rounded, job.chunks, job.walk);
    if (!text.is_product) return {};
    const OutputNormFit fit = fit_output_norm(text, job.walk.options.n_threads, job.walk.progress);
    const Tensor& norm = *model.find(last_norm);
    std::vector<std::byte> scratch;
    std::vector<float> weights(static_cast<size_t>(norm.n_elements));
    std::memcpy(weights.data(), rounded.bytes(norm, scratch).data(), weights.size() * sizeof(float));
    for (size_t i = 0; i < weights.size(); i++) weights[i] *= fit.factors[i];
    return {{last_norm, std::move(weights)}};
}

std::vector<Way> ways_of(const PolishJob& job) {
    Walk walk = job.walk;
    walk.stage = "correct biases";
    return {{"biases corrected in closed form", "",
             [&job, walk](const Weights& rounded) { return corrected_biases(job.source, rounded, job.chunks, walk); }},
            {"weights of the last norm fitted to the original's distributions", why_no_last_norm(job.source.model()),
             [&job](const Weights& rounded) { return fitted_last_norm(job, rounded); }}};
}

SmallTensors made(const PolishJob& job, const Way& way, const Weights& rounded) {
    if (job.known)
        if (std::optional<SmallTensors> known = job.known(way.name)) return *std::move(known);
    SmallTensors changed = way.make(rounded);
    if (job.keep) job.keep(way.name, changed);
    return changed;
}

}  // namespace

Polish polish(const PolishJob& job) {
    Polish result;
    std::vector<double> kl = job.kl;
    for (const Way& way : ways_of(job)) {
        if (!way.why_not.empty()) {
            result.tried.push_back({way.name + ": " + way.why_not, false, 0});
            continue;
        }
        SmallTensors trial = made(job, way, with_changed(job.rounded, result.changed));
        if (trial.empty()) {
            result.tried.push_back({way.name + ": this model has nothing to change", false, 0});
            continue;
        }
        for (const auto& [name, values] : result.changed) trial.try_emplace(name, values);
        std::vector<double> now = job.judge.kl(job.source.model(), with_changed(job.rounded, trial));
        const bool keep = paired_score(now, kl) < -1;
        result.tried.push_back({way.name, keep, mean_of(now)});
        if (!keep) continue;
        result.changed = std::move(trial);
        kl = std::move(now);
    }
    result.kl_divergence = mean_of(kl);
    return result;
}

}  // namespace ech0
