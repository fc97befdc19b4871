#pragma once

#include <string>

#include "optimize/comparison.h"
#include "optimize/optimize.h"
#include "report/json.h"

namespace ech0 {

/// "ech0.demo/1": an ech0.optimize/1 and an answer from before and after.
Json demo_json(const Optimization& optimization, const Comparison& comparison);

/// What a newcomer reads: the table, both answers, what to type next.
std::string demo_text(const Optimization& optimization, const Comparison& comparison);

}  // namespace ech0
