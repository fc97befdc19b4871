#pragma once

#include "fit/fit.h"
#include "report/json.h"

namespace ech0 {

/// What a decision is computed from, and what for, as the dashboard's page gets them (docs/json.md, ech0.dashboard/1).
Json basis_json(const FitBasis& basis);
Json conditions_json(const FitConditions& conditions);

/// @throws FormatError if it is not what basis_json wrote
FitBasis basis_from_json(const Json& json);
FitConditions conditions_from_json(const Json& json);

}  // namespace ech0
