#include "prune/cost_record.h"

#include <nlohmann/json.hpp>

namespace ech0 {

using nlohmann::json;

std::string cost_record(const CutCosts& costs) {
    json curves = json::array(), layers = json::array();
    for (const CutCurve& c : costs.curves) {
        json steps = json::array();
        for (const RemovalStep& step : c.steps) steps.push_back({step.units, step.error});
        curves.push_back(
            {c.layer, static_cast<int>(c.kind), c.params_per_unit, c.gain, steps, c.most_steps, c.n_probed});
    }
    for (const LayerCost& l : costs.layers) layers.push_back({l.layer, l.kl});
    return json{{"curves", curves}, {"layers", layers}, {"tokens", costs.n_tokens}}.dump();
}

std::optional<CutCosts> costs_of_record(const std::string& text) {
    try {
        const json record = json::parse(text);
        CutCosts costs;
        for (const json& c : record.at("curves")) {
            CutCurve curve{c.at(0), c.at(1).get<int>() == 0 ? UnitKind::kv_heads : UnitKind::channels,
                           c.at(2), c.at(3),
                           {},      c.at(5),
                           c.at(6)};
            for (const json& step : c.at(4)) curve.steps.push_back({step.at(0), step.at(1)});
            costs.curves.push_back(std::move(curve));
        }
        for (const json& l : record.at("layers")) costs.layers.push_back({l.at(0), l.at(1)});
        record.at("tokens").get_to(costs.n_tokens);
        return costs;
    } catch (const json::exception&) {
        return {};
    }
}

}  // namespace ech0
