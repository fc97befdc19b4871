#include "report/prune.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "report/table.h"

namespace ech0 {
namespace {

struct Total {
    int64_t layers = 0, kv_heads = 0, channels = 0, experts = 0;  // all but the first of layers that stay
};

/// Units that are gone after each step, what that loses locally, and what it would cost the model: the last is a
/// measurement where the gain was measured, and its proportion elsewhere.
Json curve_json(const CutCurve& curve) {
    Json steps = Json::array();
    int64_t gone = 0;
    for (const RemovalStep& step : curve.steps) {
        gone += static_cast<int64_t>(step.units.size());
        steps.push_back({{"gone", gone}, {"error", step.error}, {"kl_divergence", curve.gain * step.error}});
    }
    return {{"layer", curve.layer},
            {"kind", curve.kind == UnitKind::kv_heads ? "kv_heads" : "ffn_channels"},
            {"parameters", curve.params_per_unit},
            {"n_measured", curve.n_probed},
            {"steps", std::move(steps)}};
}

Json costs_json(const CutCosts& costs) {
    Json curves = Json::array(), layers = Json::array();
    for (const CutCurve& curve : costs.curves)
        if (!curve.steps.empty()) curves.push_back(curve_json(curve));
    for (const LayerCost& layer : costs.layers) layers.push_back({{"layer", layer.layer}, {"kl_divergence", layer.kl}});
    return {{"n_tokens", costs.n_tokens}, {"parts", std::move(curves)}, {"layers", std::move(layers)}};
}

const char* name_of(Repair repair) {
    switch (repair) {
        case Repair::off: return "off";
        case Repair::bias: return "bias";
        case Repair::full: break;
    }
    return "full";
}

Repair repair_by_name(std::string_view name) {
    for (const Repair repair : {Repair::off, Repair::bias, Repair::full})
        if (name_of(repair) == name) return repair;
    throw FormatError(fmt::format("no repair '{}'; there are off, bias, full", printable(name)));
}

Json trial_json(const PruneTrial& t) {
    Json checks = Json::array();
    for (const CutCheck& c : t.checks)
        checks.push_back({{"kl_added_up", c.added_up}, {"kl_expected", c.expected}, {"kl_divergence", c.kl}});
    return {{"what", t.what},
            {"kl_added_up", t.added_up_kl},
            {"kl_predicted", t.predicted_kl},
            {"kl_unrepaired", t.kl_unrepaired},
            {"kl_divergence", t.kl},
            {"chosen", t.chosen},
            {"checks", std::move(checks)}};
}

/// Runs from before there were checks predicted the sum of single removals.
double added_up(const Json& json, const char* key, double predicted) { return json.value(key, predicted); }

PruneTrial trial_from_json(const Json& json) {
    PruneTrial t{json.at("what"),  0, json.at("kl_predicted"), json.at("kl_unrepaired"), json.at("kl_divergence"),
                 json.at("chosen")};
    t.added_up_kl = added_up(json, "kl_added_up", t.predicted_kl);
    if (!json.contains("checks")) return t;
    for (const Json& c : json.at("checks"))
        t.checks.push_back({c.at("kl_added_up"), c.at("kl_expected"), c.at("kl_divergence")});
    return t;
}

Total total_removed(const Pruning& p) {
    Total total;
    total.layers = p.n_layer_before - static_cast<int64_t>(p.layers.size());
    for (const PrunedLayer& l : p.layers) {
        total.kv_heads += l.n_kv_heads_before - l.n_kv_heads;
        total.channels += l.n_channels_before - l.n_channels;
        total.experts += static_cast<int64_t>(l.experts_gone.size());
    }
    return total;
}

std::string layers_text(const Pruning& p, const Look& look) {
    Table table({{"layer"}, {"KV heads", Table::Align::right}, {"ffn channels", Table::Align::right}});
    for (const PrunedLayer& l : p.layers)
        if (l.n_kv_heads != l.n_kv_heads_before || l.n_channels != l.n_channels_before)
            table.add({std::to_string(l.layer), fmt::format("{} of {}", l.n_kv_heads, l.n_kv_heads_before),
                       fmt::format("{} of {}", l.n_channels, l.n_channels_before)});
    return table.text(look);
}

std::string experts_text(const Pruning& p, const Look& look) {
    Table table({{"layer"}, {"experts", Table::Align::right}, {"gone"}});
    for (const PrunedLayer& l : p.layers)
        table.add({std::to_string(l.layer),
                   fmt::format("{} of {}", l.n_experts_before - static_cast<int64_t>(l.experts_gone.size()),
                               l.n_experts_before),
                   fmt::format("{}", fmt::join(l.experts_gone, " "))});
    return table.text(look);
}

/// What plans usually call it, beside what decided here.
std::string names_text(const Pruning& p, const Look& look) {
    Table table({{"gone", Table::Align::right},
                 {"of"},
                 {"usually by"},
                 {"here by"},
                 {"magnitude would agree on", Table::Align::right}});
    for (const UsualName& n : p.names)
        table.add({std::to_string(n.n_removed), n.unit, n.name, n.method,
                   fmt::format("{:.0f} %", 100 * n.same_by_magnitude)});
    return table.text(look);
}

double final_kl(const Pruning& p) { return p.kl_repaired > 0 ? p.kl_repaired : p.kl_unrepaired; }

bool worth_it(const Pruning& p) { return final_kl(p) < p.instead.kl; }

/// What was predicted, from what, and how far off the same way was at the last check.
std::string prediction_text(const Pruning& p) {
    const auto chosen = std::find_if(p.trials.begin(), p.trials.end(), [](const PruneTrial& t) { return t.chosen; });
    std::string text = fmt::format(" (predicted {:.4f}", p.predicted_kl);
    if (chosen != p.trials.end() && !chosen->checks.empty()) {
        const CutCheck& last = chosen->checks.back();
        text += fmt::format("; single removals add up to {:.4f}; the last check on the way was {:.4f}, {:.4f} expected",
                            p.added_up_kl, last.kl, last.expected);
    }
    return text + ")";
}

std::string instead_command(const Pruning& p) {
    return fmt::format("ech0 compress {} --size {} -o OUT.gguf", shell_word(p.source_path), p.size_bytes);
}

/// Is it better to prune, or to round the whole model to as few bytes?
std::string why(const Pruning& p) {
    const std::string whole = p.instead.kl > 0
                                  ? fmt::format("all weights rounded to {} take {} at a KL divergence of {:.2g}",
                                                p.instead.type, format_disk(p.instead.size_bytes), p.instead.kl)
                                  : fmt::format("the file as it is has only {}", format_disk(p.instead.size_bytes));
    const std::string pruned = fmt::format("pruning takes {} at {:.2g}", format_disk(p.size_bytes), final_kl(p));
    return worth_it(p) ? fmt::format("{}; {}: then compress what is left", pruned, whole)
                       : fmt::format("{}; {}", whole, pruned);
}

Json verdict_json(const Pruning& p) {
    if (p.instead.type.empty()) return nullptr;
    return {{"prune", worth_it(p)},
            {"compress_instead", worth_it(p) ? Json(nullptr) : Json(instead_command(p))},
            {"why", why(p)},
            {"type", p.instead.type},
            {"size_bytes", p.instead.size_bytes},
            {"kl_divergence", p.instead.kl}};
}

std::string verdict_text(const Pruning& p) {
    if (p.instead.type.empty()) return "";
    return worth_it(p) ? fmt::format("Prune: {}.\n", why(p))
                       : fmt::format("Do not prune for size alone: {}.\nInstead: {}\n", why(p), instead_command(p));
}

}  // namespace

Json prune_json(const Pruning& p) {
    Json layers = Json::array();
    for (const PrunedLayer& l : p.layers)
        layers.push_back({{"layer", l.layer},
                          {"kv_heads_before", l.n_kv_heads_before},
                          {"kv_heads", l.n_kv_heads},
                          {"ffn_channels_before", l.n_channels_before},
                          {"ffn_channels", l.n_channels},
                          {"experts_before", l.n_experts_before},
                          {"experts_gone", l.experts_gone}});
    Json methods = Json::array();
    for (const UsualName& n : p.names)
        methods.push_back({{"unit", n.unit},
                           {"name", n.name},
                           {"method", n.method},
                           {"removed", n.n_removed},
                           {"same_by_magnitude", n.same_by_magnitude}});
    Json trials = Json::array();
    for (const PruneTrial& t : p.trials) trials.push_back(trial_json(t));
    const Total total = total_removed(p);
    Json json = {
        {"schema", "ech0.prune/1"},
        {"source",
         {{"path", p.source_path},
          {"sha256", p.source_sha256},
          {"pruned_before", p.pruned_before.empty() ? Json(nullptr) : Json(p.pruned_before)}}},
        {"output",
         {{"path", p.path}, {"size_bytes", p.size_bytes}, {"sha256", p.sha256}, {"architecture", p.architecture}}},
        {"removed",
         {{"parameters", p.n_params_before - p.n_params},
          {"parameters_before", p.n_params_before},
          {"layers", total.layers},
          {"kv_heads", total.kv_heads},
          {"ffn_channels", total.channels},
          {"experts", total.experts}}},
        {"layers", std::move(layers)},
        {"methods", std::move(methods)},
        {"repair", name_of(p.repair)},
        {"trials", std::move(trials)},
        {"kl_divergence",
         {{"predicted", p.predicted_kl},
          {"added_up", p.added_up_kl},
          {"unrepaired", p.kl_unrepaired},
          {"repaired", p.kl_repaired > 0 ? Json(p.kl_repaired) : Json(nullptr)},
          {"n_tokens", p.n_tokens_judged}}},
        {"verdict", verdict_json(p)},
        {"seconds", p.seconds},
        {"peak_memory_bytes", p.peak_memory_bytes}};
    if (!p.costs.curves.empty()) json["costs"] = costs_json(p.costs);
    return json;
}

Pruning pruning_from_json(const Json& json) {
    return from_json("ech0.prune/1", json, [&] {
        Pruning p;
        json.at("source").at("path").get_to(p.source_path);
        json.at("source").at("sha256").get_to(p.source_sha256);
        json.at("output").at("path").get_to(p.path);
        json.at("output").at("size_bytes").get_to(p.size_bytes);
        json.at("output").at("sha256").get_to(p.sha256);
        json.at("removed").at("parameters_before").get_to(p.n_params_before);
        p.n_params = p.n_params_before - json.at("removed").at("parameters").get<int64_t>();
        json.at("output").at("architecture").get_to(p.architecture);
        p.repair = repair_by_name(json.at("repair").get<std::string>());
        for (const Json& l : json.at("layers"))
            p.layers.push_back({l.at("layer"), l.at("kv_heads_before"), l.at("kv_heads"), l.at("ffn_channels_before"),
                                l.at("ffn_channels"), l.at("experts_before"), l.at("experts_gone")});
        for (const Json& n : json.at("methods"))
            p.names.push_back({n.at("unit"), n.at("name"), n.at("method"), n.at("removed"), n.at("same_by_magnitude")});
        p.n_layer_before = static_cast<int64_t>(p.layers.size()) + json.at("removed").at("layers").get<int64_t>();
        for (const Json& t : json.at("trials")) p.trials.push_back(trial_from_json(t));
        const Json& kl = json.at("kl_divergence");
        kl.at("predicted").get_to(p.predicted_kl);
        p.added_up_kl = added_up(kl, "added_up", p.predicted_kl);
        kl.at("unrepaired").get_to(p.kl_unrepaired);
        if (!kl.at("repaired").is_null()) kl.at("repaired").get_to(p.kl_repaired);
        kl.at("n_tokens").get_to(p.n_tokens_judged);
        if (const Json& v = json.at("verdict"); !v.is_null())
            p.instead = {v.at("type"), v.at("size_bytes"), v.at("kl_divergence")};
        if (const Json& before = json.at("source").at("pruned_before"); !before.is_null())
            before.get_to(p.pruned_before);
        json.at("seconds").get_to(p.seconds);
        json.at("peak_memory_bytes").get_to(p.peak_memory_bytes);
        return p;
    });
}

std::string prune_text(const Pruning& p, const Look& look) {
    const int64_t removed = p.n_params_before - p.n_params;
    std::string text =
        fmt::format("{}: {}, {:.1f} % of {:.1f} million weights removed\n\n", p.path, format_disk(p.size_bytes),
                    100.0 * static_cast<double>(removed) / static_cast<double>(p.n_params_before),
                    static_cast<double>(p.n_params_before) / 1e6);
    text += total_removed(p).experts > 0 ? experts_text(p, look) : layers_text(p, look);
    if (const int64_t n = total_removed(p).layers; n > 0)
        text += fmt::format("{} of {} layers are gone; what stays is numbered anew in the file\n", n, p.n_layer_before);
    if (!p.names.empty()) text += "\n" + names_text(p, look);
    if (p.trials.size() > 1)
        for (const PruneTrial& t : p.trials)
            text += fmt::format("{} {}: KL divergence {:.4f}\n", t.chosen ? "chosen:" : "tried: ", t.what, t.kl);
    text += fmt::format("\nKL divergence to the original on {} tokens held out: {:.4f} as cut", p.n_tokens_judged,
                        p.kl_unrepaired);
    if (p.kl_repaired > 0)
        text += fmt::format(", {:.4f} {}", p.kl_repaired, p.repair == Repair::bias ? "with biases" : "repaired");
    if (p.predicted_kl > 0) text += prediction_text(p);
    text += fmt::format("\nMade in {}, {} of memory at most.\n", format_duration(p.seconds),
                        format_memory(p.peak_memory_bytes));
    if (!p.pruned_before.empty())
        text += fmt::format("{} was pruned before ({}): all this is to it, not to what it was made from.\n",
                            p.source_path, printable(p.pruned_before));
    text += verdict_text(p);
    text += fmt::format(
        "Next: ech0 compress {} --size SIZE -o OUT.gguf; or both as one plan, measured at equal bytes: ech0 compress "
        "{} "
        "--size SIZE --allow-prune -o OUT.gguf\n",
        p.path, p.source_path);
    return text;
}

}  // namespace ech0
