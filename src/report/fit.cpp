#include "report/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "ech0/error.h"
#include "ech0/units.h"
#include "report/bar.h"
#include "report/figures.h"
#include "report/machine.h"
#include "report/scatter.h"
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

Table::Tone tone_of(const Fit& fit, size_t i) {
    if (fit.recommended && *fit.recommended == i) return Table::Tone::strong;
    return fit.options[i].fits ? Table::Tone::plain : Table::Tone::faint;
}

/// How much of the machine's memory an option takes.
std::string memory_bar(const Fit& fit, const FitOption& o, const Look& look) {
    constexpr int64_t width = 8;
    return bar(static_cast<double>(o.memory.total_bytes()) / static_cast<double>(fit.machine.model_budget_bytes), width,
               look);
}

/// What a point's mark says of how the quality is known; the legend's order.
const char* mark_of(Grade grade, const Look& look) {
    switch (grade) {
        case Grade::measured: return look.unicode ? "●" : "@";
        case Grade::published: return look.unicode ? "◆" : "*";
        case Grade::predicted: return look.unicode ? "○" : "o";
        case Grade::given: return look.unicode ? "■" : "#";
    }
    return "?";
}

bool knows_caches(const Fit& fit) {
    return std::any_of(fit.options.begin(), fit.options.end(),
                       [](const FitOption& o) { return o.kv_loss.has_value(); });
}

std::string kv_text(const FitOption& o) {
    if (!o.kv_loss) return "not known";
    return o.kv_loss->mean > 0 ? nats_text(o.kv_loss->mean) : "0";
}

Table wide_table(const Fit& fit, const std::vector<size_t>& shown, const Look& look) {
    using Align = Table::Align;
    std::vector<Table::Column> columns = {
        {""},      {"option"},   {"file", Align::right}, {"bits", Align::right}, {"memory", Align::right},
        {"of it"}, {"tokens/s"}, {"KL from original"}};
    const bool with_caches = knows_caches(fit);
    if (with_caches) columns.push_back({"cache", Align::right});
    columns.push_back({"known by"});
    Table table(columns);
    for (const size_t i : shown) {
        const FitOption& o = fit.options[i];
        std::vector<std::string> cells = {mark(fit, i),
                                          o.name,
                                          format_disk(o.file_bytes),
                                          fmt::format("{:.2f}", o.bits_per_weight),
                                          format_memory(o.memory.total_bytes()),
                                          memory_bar(fit, o, look),
                                          speed_text(o.speed.tokens_per_s),
                                          quality_text(o.quality)};
        if (with_caches) cells.push_back(kv_text(o));
        cells.emplace_back(grade_name(o.quality.grade));
        table.add(cells, tone_of(fit, i));
    }
    return table;
}

/// Without the folder of a file; of one model alone, without its name.
std::string short_name(const Fit& fit, const FitOption& o) {
    if (fit.comparison.empty()) return fmt::format("{}, {} cache", o.preset, o.kv_type);
    return o.name.substr(o.name.find_last_of('/') + 1);
}

/// For a terminal of 80 columns: values without their intervals, and how the quality is known by its mark.
Table narrow_table(const Fit& fit, const std::vector<size_t>& shown, const Look& look) {
    using Align = Table::Align;
    Table table(
        {{""}, {"option"}, {"file", Align::right}, {"memory", Align::right}, {"tokens/s", Align::right}, {"KL"}});
    for (const size_t i : shown) {
        const FitOption& o = fit.options[i];
        const bool is_original = o.quality.kl_divergence <= 0 && o.quality.grade == Grade::measured;
        table.add({mark(fit, i), short_name(fit, o), format_disk(o.file_bytes), format_memory(o.memory.total_bytes()),
                   o.speed.tokens_per_s.value > 0 ? fmt::format("{:.3g}", o.speed.tokens_per_s.value) : "?",
                   fmt::format("{} {}", mark_of(o.quality.grade, look),
                               is_original ? "0" : nats_text(o.quality.kl_divergence))},
                  tone_of(fit, i));
    }
    return table;
}

std::string options_text(const Fit& fit, bool all, const Look& look) {
    const std::set<size_t> worth = worth_showing(fit);
    std::vector<size_t> shown;
    for (size_t i = 0; i < fit.options.size(); i++)
        if (all || worth.contains(i)) shown.push_back(i);
    const Table wide = wide_table(fit, shown, look);
    if (look.columns == 0 || look.markdown || wide.width() <= static_cast<size_t>(look.columns)) return wide.text(look);
    return narrow_table(fit, shown, look).text(look) +
           fmt::format("\n{} published, {} predicted, {} measured; a wider terminal shows intervals and bits\n",
                       mark_of(Grade::published, look), mark_of(Grade::predicted, look),
                       mark_of(Grade::measured, look));
}

/// Quality against memory: the options that are worth showing, the recommended one last and so on top.
std::string options_scatter(const Fit& fit, const Look& look) {
    constexpr double gib = 1073741824.0, least = 1e-4;  // where no loss at all stands on a logarithmic axis
    Scatter scatter;
    scatter.x_title = "memory, GiB";
    const bool several = !fit.comparison.empty();
    scatter.y_title = several ? "nats above the best original" : "KL from the original, nats per token";
    double best = fit.options.front().loss, largest = 0;
    for (const FitOption& o : fit.options) best = std::min(best, o.loss - o.quality.kl_divergence);
    const auto point = [&](size_t i, const std::string& mark, const std::string& name) {
        const FitOption& o = fit.options[i];
        const double x = static_cast<double>(o.memory.total_bytes()) / gib;
        largest = std::max(largest, x);
        scatter.points.push_back({x, std::max(least, o.loss - best), mark, name});
    };
    for (const size_t i : worth_showing(fit))
        if (i != fit.recommended) point(i, mark_of(fit.options[i].quality.grade, look), fit.options[i].preset);
    if (fit.recommended)
        point(*fit.recommended, look.unicode ? "◉" : "X", "take " + fit.options[*fit.recommended].preset);
    const double budget = static_cast<double>(fit.machine.model_budget_bytes) / gib;
    if (budget < 2 * largest) scatter.limit = budget;
    const std::string text = scatter.text(look);
    if (text.empty()) return text;
    return fmt::format(
        "\n{}  {} published  {} predicted  {} measured{}\n", text, mark_of(Grade::published, look),
        mark_of(Grade::predicted, look), mark_of(Grade::measured, look),
        scatter.limit ? (look.unicode ? "  ┊ what the machine gives" : "  : what the machine gives") : "");
}

Json interval_json(const Interval& interval) {
    return {{"value", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

Json kv_json(const FitOption& o) {
    if (!o.kv_loss) return nullptr;
    return {{"kl_divergence", o.kv_loss->mean},
            {"low", o.kv_loss->low},
            {"high", o.kv_loss->high},
            {"grade", grade_name(o.kv_grade)}};
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
            {"kv_loss", kv_json(o)},
            {"loss", o.loss},
            {"on_front", o.on_front},
            {"command", o.command}};
}

Interval read_interval(const Json& json) { return {json.at("value"), json.at("low"), json.at("high")}; }

Quality read_quality(const Json& json) {
    const Json& figures = json.at("quality");
    Quality quality;
    figures.at("kl_divergence").get_to(quality.kl_divergence);
    figures.at("low").get_to(quality.low);
    figures.at("high").get_to(quality.high);
    quality.perplexity = figures.value("perplexity", 0.0);
    quality.perplexity_original = figures.value("perplexity_original", 0.0);
    quality.grade = grade_by_name(json.at("grade").get<std::string>());
    json.at("source").get_to(quality.source);
    return quality;
}

SpeedEstimate read_speed(const Json& json) {
    return {read_interval(json.at("tokens_per_s")), read_interval(json.at("prompt_tokens_per_s")),
            json.at("bound_tokens_per_s"), grade_by_name(json.at("speed_grade").get<std::string>()),
            json.at("speed_source")};
}

FitOption read_option(const Json& json) {
    FitOption o;
    json.at("name").get_to(o.name);
    json.at("model").get_to(o.model);
    json.at("preset").get_to(o.preset);
    json.at("kv_type").get_to(o.kv_type);
    json.at("n_params").get_to(o.n_params);
    json.at("file_bytes").get_to(o.file_bytes);
    json.at("bits_per_weight").get_to(o.bits_per_weight);
    const Json& m = json.at("memory");
    o.memory = {m.at("weights_bytes"), m.at("kv_bytes"), m.at("compute_bytes"), m.at("runtime_bytes"),
                m.at("loading_bytes")};
    json.at("fits").get_to(o.fits);
    o.speed = read_speed(json);
    o.quality = read_quality(json);
    if (json.contains("kv_loss") && !json.at("kv_loss").is_null()) {  // runs of older versions have none
        const Json& kv = json.at("kv_loss");
        o.kv_loss = Estimate{kv.at("kl_divergence"), kv.at("low"), kv.at("high")};
        o.kv_grade = grade_by_name(kv.at("grade").get<std::string>());
    }
    json.at("loss").get_to(o.loss);
    json.at("on_front").get_to(o.on_front);
    json.at("command").get_to(o.command);
    return o;
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

std::string fit_text(const Fit& fit, bool all, const Look& look) {
    std::string text = look.markdown ? heading_text("Fit: " + fit.machine.title, look) : "";
    text += facts_text(machine_facts(fit.machine), look);
    text += fmt::format(
        "\nOptions for {} tokens of context (-> recommended, * nothing better at once in quality, speed and "
        "memory, no: does not fit)\n\n",
        fit.n_ctx);
    text += options_text(fit, all, look);
    if (!look.markdown) text += options_scatter(fit, look);
    text += knows_caches(fit)
                ? "\nWhat a cache costs (nats per token from an f16 one) was measured here of this file, by 'ech0 kv "
                  "plan', and is counted.\n"
                : "\nWhat a q8_0 or q4_0 cache costs in quality is not counted; 'ech0 kv plan MODEL' "
                  "measures it.\n";
    if (!fit.comparison.empty()) text += "\n" + fit.comparison + "\n";
    if (!fit.recommended) return text + fmt::format("\nNo: {}.\n", fit.why);
    const FitOption& chosen = fit.options[*fit.recommended];
    return text + fmt::format("\nTake {}: {}.\n\n", chosen.name, fit.why) + command_text(chosen.command, look);
}

std::string fit_explanation(const Fit& fit) {
    std::string text = fmt::format("\nThe arithmetic. A model may take {}: {}\n",
                                   format_memory(fit.machine.model_budget_bytes), fit.machine.budget_source);
    for (const FitOption& option : fit.options)
        if (is_familiar(option)) text += explain_option(fit, option);
    return text;
}

Fit fit_from_json(const Json& json) {
    return from_json("ech0.fit/1", json, [&] {
        Fit fit;
        fit.machine = machine_from_json(json.at("machine"));
        json.at("n_ctx").get_to(fit.n_ctx);
        for (const Json& option : json.at("options")) fit.options.push_back(read_option(option));
        if (fit.options.empty()) throw FormatError("options is empty, wanted one at least");
        const Json& chosen = json.at("recommendation");
        for (size_t i = 0; i < fit.options.size() && !chosen.is_null(); i++)
            if (fit.options[i].name == chosen.at("name")) fit.recommended = i;
        json.at("why").get_to(fit.why);
        json.at("comparison").get_to(fit.comparison);
        for (const Json& refusal : json.at("refused")) fit.refused.push_back({refusal.at("name"), refusal.at("why")});
        json.at("seconds").get_to(fit.seconds);
        return fit;
    });
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
