#pragma once

#include <string>

#include "optimize/optimize.h"
#include "report/json.h"
#include "report/table.h"

namespace ech0 {

/// "ech0.optimize/1": the objects of inspect, compress and verify in one.
Json optimize_json(const Optimization& optimization);
/// What optimize_json wrote. @throws FormatError
Optimization optimization_from_json(const Json& json);

/// What the original and the made file measure, side by side.
Table before_after(const Evidence& evidence);

/// For a terminal: the table, the types, what to do next.
std::string optimize_text(const Optimization& optimization);

/// For a file that goes with the model: the same, with how it was decided, hashes, and what may be compared.
std::string optimize_markdown(const Optimization& optimization);

}  // namespace ech0
