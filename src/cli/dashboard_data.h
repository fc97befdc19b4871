#pragma once

#include <string>
#include <vector>

#include "report/dashboard.h"

namespace ech0 {

/// What a dashboard is to show.
struct DashboardWish {
    std::vector<Model> models;
    FitConditions conditions;  ///< that it opens with
    std::vector<Json> runs;    ///< reports of other commands to show beside the decision
    int n_threads = 0;
    std::string command;  ///< that makes it again
};

/// Everything that the page decides with, for any machine, context and cache that it can be asked about.
/// @throws UsageError for a context beyond a model's training; EngineError
Dashboard make_dashboard(DashboardWish wish);

}  // namespace ech0
