#include "fit/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "fit/choice.h"
#include "plan/kept_kv_plan.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

// Speed is told for a context that is half full: the average over filling it.
constexpr double filled = 0.5;

const CacheBasis& cache_of(const ModelBasis& model, const std::string& kv_type, int64_t n_ctx) {
    for (const CacheBasis& cache : model.caches)
        if (cache.kv_type == kv_type && cache.n_ctx == n_ctx) return cache;
    throw UsageError(fmt::format("nothing is known of {} with {} tokens of context and a {} cache",
                                 printable(model.name), n_ctx, printable(kv_type)));
}

/// The file that fills the memory to the byte: types as of the preset below it, all scaled; `ech0 compress` decides
/// them.
std::optional<FileBasis> mix_of(const ModelBasis& model, const Footprint& footprint, const Machine& machine) {
    const FileBasis &least = model.files.front(), &most = model.files.back();
    const MemoryParts rest = memory_of(least.memory, footprint, machine.backend == "CPU");
    const int64_t head = least.file_bytes - least.memory.tensor_bytes;
    const int64_t room = machine.model_budget_bytes - (rest.total_bytes() - rest.weights_bytes);
    // From 8 bits on there is nothing to gain.
    const auto enough = static_cast<int64_t>(8.5 / 8 * static_cast<double>(model.n_params));
    const int64_t tensor_bytes = std::min(room, enough);
    if (tensor_bytes < least.memory.tensor_bytes || tensor_bytes >= most.memory.tensor_bytes) return std::nullopt;
    const auto above = std::find_if(model.files.begin(), model.files.end(),
                                    [&](const FileBasis& f) { return f.memory.tensor_bytes > tensor_bytes; });
    FileBasis mix = *std::prev(above);
    for (auto& [type, n] : mix.work.weight_bytes)
        n = static_cast<int64_t>(static_cast<double>(n) * static_cast<double>(tensor_bytes) /
                                 static_cast<double>(mix.memory.tensor_bytes));
    mix.preset = "mix";
    mix.memory.tensor_bytes = tensor_bytes;
    mix.file_bytes = head + tensor_bytes;
    mix.bits_per_weight = 8.0 * static_cast<double>(tensor_bytes) / static_cast<double>(model.n_params);
    mix.quality = model.mix_quality.at(mix.bits_per_weight);
    return mix;
}

SpeedEstimate speed_of(const FitBasis& basis, const ModelBasis& model, const FileBasis& file,
                       const Footprint& footprint, const Machine& machine, const std::string& kv_name) {
    const CacheTypes cache = cache_types(kv_name);
    const TokenWork work = with_cache(file.work, footprint, filled, cache_bits(cache), model.heads_per_kv_head);
    if (!machine.is_this || !basis.kernels) return speed_described(machine, basis.described, work);
    const bool known = file.preset == "as it is";
    return speed_here(*basis.kernels, machine, work, cache, known ? model.speed_as_it_is.factor : 1,
                      known ? model.speed_as_it_is.half_width : first_speed_half_width);
}

std::string command_of(const ModelBasis& model, const FileBasis& file) {
    if (file.preset == "as it is")
        return fmt::format("ech0 {} {}", model.is_remote ? "models pull" : "chat", shell_word(model.asked));
    return fmt::format("ech0 compress {} --size {} -o {}", shell_word(model.source), file.file_bytes,
                       shell_word(fmt::format("{}-{}.gguf", model.stem, file.preset)));
}

FitOption option_of(const FitBasis& basis, const ModelBasis& model, const FileBasis& file,
                    const FitConditions& conditions, size_t kv) {
    FitOption option;
    option.model = model.name;
    option.preset = file.preset;
    option.kv_type = conditions.kv_types[kv];
    option.kv_rank = static_cast<int64_t>(kv);
    option.name = fmt::format("{} {}, {} cache", model.name, file.preset, option.kv_type);
    option.n_params = model.n_params;
    option.file_bytes = file.file_bytes;
    option.bits_per_weight = file.bits_per_weight;
    const CacheBasis& cache = cache_of(model, option.kv_type, conditions.n_ctx);
    const Footprint& footprint = cache.footprint;
    option.kv_loss = cache.loss;
    option.kv_grade = file.preset == "as it is" ? Grade::measured : Grade::predicted;
    option.memory = memory_of(file.memory, footprint, conditions.machine.backend == "CPU");
    option.fits = option.memory.total_bytes() <= conditions.machine.model_budget_bytes;
    option.speed = speed_of(basis, model, file, footprint, conditions.machine, option.kv_type);
    option.quality = file.quality;
    option.loss = file.quality.kl_divergence + (cache.loss ? cache.loss->mean : 0) + model.level;
    option.command = command_of(model, file);
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

std::string_view prefer_name(Prefer prefer) {
    switch (prefer) {
        case Prefer::quality: return "quality";
        case Prefer::balanced: return "balanced";
        case Prefer::speed: return "speed";
    }
    return "";
}

Prefer prefer_by_name(std::string_view name) {
    for (const Prefer prefer : {Prefer::quality, Prefer::balanced, Prefer::speed})
        if (prefer_name(prefer) == name) return prefer;
    throw UsageError(fmt::format("nobody can prefer '{}'; there are quality, balanced, speed", printable(name)));
}

void check_context(const Model& model, int64_t n_ctx) {
    if (n_ctx > model.n_ctx_train)
        throw UsageError(
            fmt::format("{}: a context of {} tokens, and the model was trained on {}: give --ctx {} or less",
                        printable(model.asked), n_ctx, model.n_ctx_train, model.n_ctx_train));
}

std::vector<std::string> usual_kv_types(const std::vector<Model>& models, int64_t n_ctx) {
    std::vector<std::string> types = FitConditions{}.kv_types;
    if (models.size() != 1) return types;
    const std::optional<KeptKvPlan> kept = kept_kv_plan(models.front(), n_ctx);
    if (!kept || !kept->chosen) return types;
    const std::string chosen = cache_name(*kept->chosen);
    if (std::find(types.begin(), types.end(), chosen) == types.end()) types.push_back(chosen);
    return types;
}

Fit decide(const FitBasis& basis, const FitConditions& conditions) {
    const Machine& machine = conditions.machine;
    if (machine.model_budget_bytes <= 0)
        throw UsageError(fmt::format("{}: no memory for a model: {}", machine.name, machine.budget_source));
    Fit result;
    result.machine = machine;
    result.n_ctx = conditions.n_ctx;
    result.comparison = basis.comparison;
    for (const ModelBasis& model : basis.models) {
        for (size_t kv = 0; kv < conditions.kv_types.size(); kv++) {
            std::vector<FileBasis> files = model.files;
            const Footprint& footprint = cache_of(model, conditions.kv_types[kv], conditions.n_ctx).footprint;
            if (const std::optional<FileBasis> mix = mix_of(model, footprint, machine)) files.push_back(*mix);
            for (const FileBasis& file : files) result.options.push_back(option_of(basis, model, file, conditions, kv));
        }
    }
    mark_front(result.options);
    set_refusals(result, conditions.min_tokens_per_s);
    result.recommended = choose(result.options, conditions.prefer, conditions.min_tokens_per_s);
    result.why = result.recommended ? why_chosen(result, result.options[*result.recommended])
                                    : why_none(result, conditions.min_tokens_per_s);
    return result;
}

Fit fit(const FitOptions& options) {
    const auto began = std::chrono::steady_clock::now();
    for (const Model& model : options.models) check_context(model, options.n_ctx);
    Fit result = decide(make_basis({.models = options.models,
                                    .contexts = {options.n_ctx},
                                    .kv_types = options.kv_types,
                                    .this_machine = options.machine.is_this,
                                    .n_threads = options.n_threads,
                                    .kept_kv_plans = true}),
                        options);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return result;
}

}  // namespace ech0
