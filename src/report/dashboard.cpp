#include "report/dashboard.h"

#include <fmt/format.h>

#include "base/text.h"
#include "report/basis.h"
#include "report/fit.h"
#include "report/inspect.h"
#include "report/machine.h"
#include "report/specimen.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

Json score_json(const Score& s) {
    return {{"kind", s.kind},     {"machine", s.machine},     {"model", s.model},
            {"detail", s.detail}, {"predicted", s.predicted}, {"low", s.low},
            {"high", s.high},     {"measured", s.measured},   {"hit", s.hit()}};
}

Json specimen_json(const Specimen& specimen) {
    return {{"tensor", specimen.tensor},
            {"type", specimen.type_name},
            {"row", specimen.row},
            {"first_column", specimen.first_column},
            {"weights", specimen.weights}};
}

/// The anatomy without the metadata: a vocabulary is megabytes, and the page shows none of it.
Json anatomy_json(const Model& model) {
    Json json = inspect_json(model);
    json["metadata"] = Json::object();
    return json;
}

}  // namespace

Json dashboard_json(const Dashboard& dashboard) {
    Json models = Json::array(), scores = Json::array(), specimens_of = Json::array();
    for (const Model& model : dashboard.models) {
        models.push_back(anatomy_json(model));
        for (const Specimen& specimen : specimens(model)) specimens_of.push_back(specimen_json(specimen));
    }
    for (const Score& score : dashboard.scores) scores.push_back(score_json(score));
    return {{"schema", "ech0.dashboard/1"},
            {"version", ECH0_VERSION},
            {"engine", engine_description()},
            {"command", dashboard.command},
            {"conditions", conditions_json(dashboard.conditions)},
            {"here", to_json(dashboard.here)},
            {"basis", basis_json(dashboard.basis)},
            {"fit", fit_json(dashboard.decision)},
            {"models", std::move(models)},
            {"specimens", std::move(specimens_of)},
            {"scores", std::move(scores)},
            {"runs", dashboard.runs}};
}

std::string dashboard_text(const Dashboard& dashboard, const std::string& path) {
    const Fit& fit = dashboard.decision;
    const std::string verdict = fit.recommended
                                    ? fmt::format("Take {}: {}.\n\n  {}\n", fit.options[*fit.recommended].name, fit.why,
                                                  fit.options[*fit.recommended].command)
                                    : fmt::format("No: {}.\n", fit.why);
    return fmt::format("{}\nThe dashboard: {}\n", verdict, printable(path, 400));
}

}  // namespace ech0
