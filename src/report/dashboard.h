#pragma once

#include <string>
#include <vector>

#include "fit/fit.h"
#include "machine/score_log.h"
#include "report/json.h"

namespace ech0 {

/// What the decision dashboard is made from.
struct Dashboard {
    FitBasis basis;
    FitConditions conditions;   ///< that it opens with
    Machine here;               ///< this machine, to choose beside the described ones
    Fit decision;               ///< under those conditions
    std::vector<Model> models;  ///< the anatomy of each
    std::vector<Score> scores;  ///< predictions that met their measurement on this machine
    std::vector<Json> runs;     ///< reports of other commands, as they were written
    std::string command;
};

/// "ech0.dashboard/1"
Json dashboard_json(const Dashboard& dashboard);

/// The verdict, and where the page lies.
std::string dashboard_text(const Dashboard& dashboard, const std::string& path);

}  // namespace ech0
