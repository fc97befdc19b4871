#pragma once

#include <string>

#include "plan/kv_plan.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// The front, or every pair, the choice and the command that uses it.
std::string kv_plan_text(const KvPlan& plan, bool all, const Look& look = {});
/// "ech0.kv.plan/1"
Json kv_plan_json(const KvPlan& plan);
/// What kv_plan_json wrote. @throws FormatError
KvPlan kv_plan_from_json(const Json& json);

}  // namespace ech0
