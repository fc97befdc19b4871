#include "report/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "ech0/units.h"
#include "report/figures.h"
#include "report/machine.h"
#include "report/table.h"

namespace ech0 {
namespace {

std::string speed_text(const Interval& speed) {
    if (speed.value <= 0) return "not known";
    return fmt::format("{:.3g} ({:.3g} to {:.3g})", speed.value, speed.low, speed.high);
}

std::string quality_text(const Quality& quality) {
    if (quality.kl_divergence <= 0 && quality.grade == Grade::measured) return "the original";
    if (quality.kl_divergence <= 0) return "0";
    if (quality.low == quality.high) return nats_text(quality.kl_divergence);
    return nats_text(quality.kl_divergence) + " " + nats_interval(quality.low, quality.high);
}

std::string mark(const Fit& fit, size_t i) {
    if (fit.recommended && *fit.recommended == i) return "->";
    if (!fit.options[i].fits) return "no";
    return fit.options[i].on_front ? "*" : "";
}

// The presets that people ask for by name.
bool is_familiar(const FitOption& option) {
    static const std::set<std::string> familiar = {"Q8_0",   "Q6_K",    "Q5_K_M", "Q4_K_M", "IQ4_XS",
                                                   "Q3_K_M", "IQ3_XXS", "IQ2_M",  "mix",    "as it is"};
    return familiar.contains(option.preset);
}

/// Of each model and cache: what fits and is on the front, the largest that fits, the smallest familiar one that
/// doesn't, and the one that everybody asks for.
std::set<size_t> worth_showing(const Fit& fit) {
    std::set<size_t> shown;
    if (fit.recommended) shown.insert(*fit.recommended);
    std::map<std::string, std::optional<size_t>> smallest_refused, largest_fitting;
    for (size_t i = 0; i < fit.options.size(); i++) {
        const FitOption& o = fit.options[i];
        if (o.preset == "Q4_K_M" || (o.on_front && is_familiar(o))) shown.insert(i);
        std::optional<size_t>& refused = smallest_refused[o.model + o.kv_type];
        std::optional<size_t>& fitting = largest_fitting[o.model + o.kv_type];
        if (!o.fits && is_familiar(o) && (!refused || o.file_bytes < fit.options[*refused].file_bytes)) refused = i;
        if (o.fits && (!fitting || o.file_bytes > fit.options[*fitting].file_bytes)) fitting = i;
    }
    for (const auto* group : {&smallest_refused, &largest_fitting})
        for (const auto& [name, index] : *group)
            if (index) shown.insert(*index);
    return shown;
}

Table options_table(const Fit& fit, bool all) {
    using Align = Table::Align;
    Table table({{""},
                 {"option"},
                 {"file", Align::right},
                 {"bits", Align::right},
                 {"memory", Align::right},
                 {"tokens/s"},
                 {"KL from original"},
                 {"known by"}});
    const std::set<size_t> shown = worth_showing(fit);
    for (size_t i = 0; i < fit.options.size(); i++) {
        const FitOption& o = fit.options[i];
        if (!all && !shown.contains(i)) continue;
        table.add({mark(fit, i), o.name, format_disk(o.file_bytes), fmt::format("{:.2f}", o.bits_per_weight),
                   format_memory(o.memory.total_bytes()), speed_text(o.speed.tokens_per_s), quality_text(o.quality),
                   std::string(grade_name(o.quality.grade))});
    }
    return table;
}

Json interval_json(const Interval& interval) {
    return {{"value", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

Json option_json(const FitOption& o) {
    Json quality = {{"kl_divergence", o.quality.kl_divergence}, {"low", o.quality.low}, {"high", o.quality.high}};
    if (o.quality.perplexity > 0) quality["perplexity"] = o.quality.perplexity;
    if (o.quality.perplexity_original > 0) quality["perplexity_original"] = o.quality.perplexity_original;
    return {{"name", o.name},
            {"model", o.model},
            {"preset", o.preset},
            {"kv_type", o.kv_type},
            {"n_params", o.n_params},
            {"file_bytes", o.file_bytes},
            {"bits_per_weight", o.bits_per_weight},
            {"memory",
             {{"weights_bytes", o.memory.weights_bytes},
              {"kv_bytes", o.memory.kv_bytes},
              {"compute_bytes", o.memory.compute_bytes},
              {"runtime_bytes", o.memory.runtime_bytes},
              {"loading_bytes", o.memory.loading_bytes},
              {"total_bytes", o.memory.total_bytes()}}},
            {"fits", o.fits},
            {"tokens_per_s", interval_json(o.speed.tokens_per_s)},
            {"prompt_tokens_per_s", interval_json(o.speed.prompt_tokens_per_s)},
            {"bound_tokens_per_s", o.speed.bound_tokens_per_s},
            {"speed_grade", grade_name(o.speed.grade)},
            {"speed_source", o.speed.source},
            {"quality", quality},
            {"grade", grade_name(o.quality.grade)},
            {"source", o.quality.source},
            {"loss", o.loss},
            {"on_front", o.on_front},
            {"command", o.command}};
}

std::string explain_option(const Fit& fit, const FitOption& o) {
    const MemoryParts& m = o.memory;
    std::string text = fmt::format("\n{}\n", o.name);
    text += fmt::format(
        "  memory   {} weights ({:.3f} bits x {:.3f}e9 / 8) + {} cache + {} buffers + {} program = {}; "
        "{} {}\n",
        format_memory(m.weights_bytes), o.bits_per_weight, static_cast<double>(o.n_params) / 1e9,
        format_memory(m.kv_bytes), format_memory(m.compute_bytes), format_memory(m.runtime_bytes),
        format_memory(m.total_bytes()), o.fits ? "fits into" : "does not fit into",
        format_memory(fit.machine.model_budget_bytes));
    if (o.speed.bound_tokens_per_s > 0) {
        text +=
            fmt::format("  speed    every token reads {}: at {} at most {:.3g} tokens/s; expected {} ({})\n",
                        format_disk(static_cast<int64_t>(fit.machine.read_bytes_per_s / o.speed.bound_tokens_per_s)),
                        bandwidth_text(fit.machine.read_bytes_per_s), o.speed.bound_tokens_per_s,
                        speed_text(o.speed.tokens_per_s), o.speed.source);
    }
    text += fmt::format("  quality  KL {} nats per token, {}: {}\n", quality_text(o.quality),
                        grade_name(o.quality.grade), o.quality.source);
    if (o.quality.grade == Grade::published && o.quality.perplexity > 0)
        text += fmt::format("           perplexity {:.4g}, of the original {:.4g}\n", o.quality.perplexity,
                            o.quality.perplexity_original);
    return text;
}

}  // namespace

std::string fit_text(const Fit& fit, bool all) {
    std::string text = facts_text(machine_facts(fit.machine));
    text += fmt::format(
        "\nOptions for {} tokens of context (-> recommended, * nothing better at once in quality, speed and "
        "memory, no: does not fit)\n\n",
        fit.n_ctx);
    text += options_table(fit, all).text();
    text += "\nWhat a q8_0 or q4_0 cache costs in quality is not counted.\n";
    if (!fit.comparison.empty()) text += "\n" + fit.comparison + "\n";
    if (!fit.recommended) return text + fmt::format("\nNo: {}.\n", fit.why);
    const FitOption& chosen = fit.options[*fit.recommended];
    return text + fmt::format("\nTake {}: {}.\n\n  {}\n", chosen.name, fit.why, chosen.command);
}

std::string fit_explanation(const Fit& fit) {
    std::string text = fmt::format("\nThe arithmetic. A model may take {}: {}\n",
                                   format_memory(fit.machine.model_budget_bytes), fit.machine.budget_source);
    for (const FitOption& option : fit.options)
        if (is_familiar(option)) text += explain_option(fit, option);
    return text;
}

Json fit_json(const Fit& fit) {
    Json options = Json::array(), refused = Json::array();
    for (const FitOption& option : fit.options) options.push_back(option_json(option));
    for (const Refusal& refusal : fit.refused) refused.push_back({{"name", refusal.name}, {"why", refusal.why}});
    Json recommendation = nullptr;
    if (fit.recommended) {
        const FitOption& chosen = fit.options[*fit.recommended];
        recommendation = {{"name", chosen.name}, {"why", fit.why}, {"command", chosen.command}};
    }
    return {{"schema", "ech0.fit/1"},
            {"machine", to_json(fit.machine)},
            {"n_ctx", fit.n_ctx},
            {"options", options},
            {"recommendation", recommendation},
            {"why", fit.why},
            {"comparison", fit.comparison},
            {"refused", refused},
            {"seconds", fit.seconds}};
}

}  // namespace ech0
