#include "fit/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "fit/choice.h"
#include "machine/score_log.h"
#include "model/blueprint.h"
#include "model/metadata.h"
#include "model/remote_model.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

// Speed is told for a context that is half full: the average over filling it.
constexpr int64_t full_share = 2;

/// What all options of all models share.
struct Job {
    const FitOptions& options;
    QualityCurve curve;
    std::vector<Machine> described;  // for machines without figures of their own
    std::optional<Kernels> kernels;  // of this machine
    std::vector<Score> scores;
};

/// One of the models with what its options have in common.
struct Subject {
    const Model& model;
    std::string name, family;  // as published figures call it; of a file that nobody knows, its own name
    std::vector<Preset> presets;
    std::vector<Footprint> footprints;  // by KV type
};

SessionOptions session_of(const FitOptions& options, const std::string& kv_type) {
    return {
        .n_ctx = options.n_ctx, .n_outputs = 1, .n_threads = options.n_threads, .type_k = kv_type, .type_v = kv_type};
}

void check_context(const Model& model, int64_t n_ctx) {
    if (n_ctx > model.n_ctx_train)
        throw UsageError(
            fmt::format("{}: a context of {} tokens, and the model was trained on {}: give --ctx {} or less",
                        printable(model.asked), n_ctx, model.n_ctx_train, model.n_ctx_train));
}

/// Which published model a file is, by its name and shapes; its own name if none.
void set_identity(Subject& subject) {
    const Model& model = subject.model;
    const Blueprint* known = find_blueprint(find_string(model.metadata, blueprint_key).value_or(model.asked));
    if (known == nullptr) {
        std::string name = model.name;
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return c == ' ' ? '-' : std::tolower(c); });
        known = find_blueprint(name);
        if (known != nullptr && (known->n_layer != model.n_layer || known->n_embd != model.n_embd)) known = nullptr;
    }
    subject.name = known != nullptr ? known->name : model.asked;
    subject.family = known != nullptr ? known->family : model.architecture;
}

Subject subject_of(const Model& model, const FitOptions& options) {
    Subject subject{model, "", "", {}, {}};
    check_context(model, options.n_ctx);
    set_identity(subject);
    for (const std::string& name : preset_names()) {
        Preset preset = preset_of(model, name);
        // Rounding a file again to something no smaller only loses.
        if (model.has_weights && preset.file_bytes >= model.size_bytes) continue;
        subject.presets.push_back(std::move(preset));
    }
    if (model.has_weights) {
        subject.presets.push_back(preset_as_it_is(model));
    }
    std::sort(subject.presets.begin(), subject.presets.end(),
              [](const Preset& a, const Preset& b) { return a.file_bytes < b.file_bytes; });
    const FootprintProbe probe(model);
    for (const std::string& type : options.kv_types) subject.footprints.push_back(probe.of(session_of(options, type)));
    return subject;
}

/// The file that fills the memory to the byte: types as of the preset below it, all scaled; `ech0 compress` decides
/// them.
std::optional<Preset> mix_of(const Job& job, const Subject& subject, const Footprint& footprint) {
    const Preset &least = subject.presets.front(), &most = subject.presets.back();
    const bool in_ram = job.options.machine.backend == "CPU";
    const MemoryParts rest = memory_of(subject.model, least, footprint, in_ram);
    const int64_t head = least.file_bytes - least.tensor_bytes;
    const int64_t room = job.options.machine.model_budget_bytes - (rest.total_bytes() - rest.weights_bytes);
    // From 8 bits on there is nothing to gain.
    const auto enough = static_cast<int64_t>(8.5 / 8 * static_cast<double>(subject.model.n_params));
    const int64_t tensor_bytes = std::min(room, enough);
    if (tensor_bytes < least.tensor_bytes || tensor_bytes >= most.tensor_bytes) return std::nullopt;
    const auto above = std::find_if(subject.presets.begin(), subject.presets.end(),
                                    [&](const Preset& p) { return p.tensor_bytes > tensor_bytes; });
    Preset mix = *std::prev(above);
    mix.name = "mix";
    mix.tensor_bytes = tensor_bytes;
    mix.file_bytes = head + tensor_bytes;
    mix.bits_per_weight = 8.0 * static_cast<double>(tensor_bytes) / static_cast<double>(subject.model.n_params);
    return mix;
}

Quality quality_of(const Job& job, const Subject& subject, const Preset& preset) {
    if (preset.name == "as it is") {
        Quality quality = original_perplexity(subject.name, subject.family, subject.model.n_params);
        quality.kl_divergence = quality.low = quality.high = 0;
        quality.grade = Grade::measured;
        quality.source = "the file itself: what it is compared with";
        return quality;
    }
    Quality quality =
        preset.name == "mix"
            ? job.curve.predict(subject.name, subject.model.n_params, preset.bits_per_weight, TypeClass::codebook)
            : quality_of_preset(job.curve, subject.name, subject.model.n_params, preset.name, preset.bits_per_weight);
    return quality;
}

SpeedEstimate speed_of(Job& job, const Subject& subject, const Preset& preset, const Footprint& footprint,
                       const std::string& kv_type) {
    const SessionOptions session = session_of(job.options, kv_type);
    TokenWork work = work_of(subject.model, preset.types, footprint, session, job.options.n_ctx / full_share);
    if (preset.name == "mix") {  // its types are those of the preset below: as many more bytes of them
        int64_t bytes = 0;
        for (size_t i = 0; i < preset.types.size(); i++)
            bytes += static_cast<int64_t>(ggml_row_size(preset.types[i], subject.model.tensors[i].n_cols())) *
                     subject.model.tensors[i].n_rows();
        for (auto& [type, n] : work.weight_bytes)
            n = static_cast<int64_t>(static_cast<double>(n) * static_cast<double>(preset.tensor_bytes) /
                                     static_cast<double>(bytes));
    }
    if (job.kernels) {
        // What was measured of this file holds for this file; others made of it have other types.
        Correction known{1, first_speed_half_width, 0};
        if (preset.name == "as it is")
            known = correction(job.scores, "tokens_per_s", score_machine(job.kernels->n_threads()), subject.model.asked,
                               first_speed_half_width);
        return speed_here(*job.kernels, job.options.machine, work, type_by_name(kv_type), known.factor,
                          known.half_width);
    }
    return speed_described(job.options.machine, job.described, work);
}

std::string command_of(const Subject& subject, const Preset& preset) {
    const bool is_remote = is_remote_head(subject.model.files.front());
    if (preset.name == "as it is")
        return fmt::format("ech0 {} {}", is_remote ? "models pull" : "chat", shell_word(subject.model.asked));
    std::string stem = subject.model.has_weights ? subject.model.files.front().stem().string() : subject.name;
    std::replace(stem.begin(), stem.end(), ':', '-');
    const std::string source = subject.model.has_weights ? subject.model.asked : stem + "-f16.gguf";
    return fmt::format("ech0 compress {} --size {} -o {}", shell_word(source), preset.file_bytes,
                       shell_word(fmt::format("{}-{}.gguf", stem, preset.name)));
}

FitOption option_of(Job& job, const Subject& subject, const Preset& preset, size_t kv) {
    FitOption option;
    option.model = subject.name;
    option.preset = preset.name;
    option.kv_type = job.options.kv_types[kv];
    option.kv_rank = static_cast<int64_t>(kv);
    option.name = fmt::format("{} {}, {} cache", subject.name, preset.name, option.kv_type);
    option.n_params = subject.model.n_params;
    option.file_bytes = preset.file_bytes;
    option.bits_per_weight = preset.bits_per_weight;
    option.memory = memory_of(subject.model, preset, subject.footprints[kv], job.options.machine.backend == "CPU");
    option.fits = option.memory.total_bytes() <= job.options.machine.model_budget_bytes;
    option.speed = speed_of(job, subject, preset, subject.footprints[kv], option.kv_type);
    option.quality = quality_of(job, subject, preset);
    option.command = command_of(subject, preset);
    return option;
}

std::string too_large(const FitOption& option, const Machine& machine) {
    return fmt::format(
        "needs {} ({} weights + {} cache + {} buffers{}) of {}", format_memory(option.memory.total_bytes()),
        format_memory(option.memory.weights_bytes), format_memory(option.memory.kv_bytes),
        format_memory(option.memory.compute_bytes),
        option.memory.runtime_bytes > 0 ? " + " + format_memory(option.memory.runtime_bytes) + " program" : "",
        format_memory(machine.model_budget_bytes));
}

void set_refusals(Fit& result, double min_tokens_per_s) {
    for (const FitOption& option : result.options) {
        if (!option.fits)
            result.refused.push_back({option.name, too_large(option, result.machine)});
        else if (option.speed.tokens_per_s.value < min_tokens_per_s)
            result.refused.push_back({option.name, fmt::format("{:.1f} tokens/s, wanted {:.1f}",
                                                               option.speed.tokens_per_s.value, min_tokens_per_s)});
    }
}

/// The best option of each other model, for the sentence that compares.
std::string beside(const Fit& result, const FitOption& chosen) {
    const FitOption* other = nullptr;
    for (const FitOption& option : result.options)
        if (option.model != chosen.model && option.fits && (other == nullptr || option.loss < other->loss))
            other = &option;
    if (other == nullptr) return "";
    const double ratio = std::exp(other->loss - chosen.loss);
    return ratio >= 1 ? fmt::format("; {} would be {:.1f} % more perplexed", other->name, 100 * (ratio - 1))
                      : fmt::format("; {} would be {:.1f} % less perplexed, and {:.1f} tokens/s", other->name,
                                    100 * (1 - ratio), other->speed.tokens_per_s.value);
}

std::string why_chosen(const Fit& result, const FitOption& o) {
    const Interval& speed = o.speed.tokens_per_s;
    std::string why =
        fmt::format("with {} tokens of context it takes {} of {}", result.n_ctx, format_memory(o.memory.total_bytes()),
                    format_memory(result.machine.model_budget_bytes));
    if (speed.value > 0)
        why += fmt::format(", talks at {:.3g} tokens/s ({:.3g} to {:.3g})", speed.value, speed.low, speed.high);
    why += o.quality.kl_divergence > 0 ? fmt::format(", and is {:.2g} nats from its original ({})",
                                                     o.quality.kl_divergence, grade_name(o.quality.grade))
                                       : ", and is the original";
    return why + beside(result, o);
}

std::string why_none(const Fit& result, double min_tokens_per_s) {
    const auto least = std::min_element(result.options.begin(), result.options.end(), [](const auto& a, const auto& b) {
        return a.memory.total_bytes() < b.memory.total_bytes();
    });
    if (!least->fits) return fmt::format("even {} {}", least->name, too_large(*least, result.machine));
    return fmt::format("nothing that fits reaches {:.1f} tokens/s", min_tokens_per_s);
}

}  // namespace

Fit fit(const FitOptions& options) {
    const auto began = std::chrono::steady_clock::now();
    if (options.machine.model_budget_bytes <= 0)
        throw UsageError(
            fmt::format("{}: no memory for a model: {}", options.machine.name, options.machine.budget_source));
    Job job{options, {}, {}, {}, {}};
    if (options.machine.is_this) {
        job.kernels.emplace(options.n_threads);
        job.scores = read_scores();
    } else {
        job.described = machine_profiles();
    }
    Fit result;
    result.machine = options.machine;
    result.n_ctx = options.n_ctx;
    std::vector<std::string> families;
    for (const Model& model : options.models) {
        const Subject subject = subject_of(model, options);
        for (size_t kv = 0; kv < options.kv_types.size(); kv++) {
            std::vector<Preset> presets = subject.presets;
            if (const std::optional<Preset> mix = mix_of(job, subject, subject.footprints[kv])) presets.push_back(*mix);
            for (const Preset& preset : presets) result.options.push_back(option_of(job, subject, preset, kv));
        }
        families.resize(result.options.size(), subject.family);
    }
    if (job.kernels) job.kernels->remember();
    result.comparison = set_losses(result.options, families);
    mark_front(result.options);
    set_refusals(result, options.min_tokens_per_s);
    result.recommended = choose(result.options, options.prefer, options.min_tokens_per_s);
    result.why = result.recommended ? why_chosen(result, result.options[*result.recommended])
                                    : why_none(result, options.min_tokens_per_s);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return result;
}

}  // namespace ech0
