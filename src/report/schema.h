#pragma once

// What a run's JSON must look like. docs/json.md is the one description: it is part of the program, tests hold the
// commands to it, and the JSON Schema files in docs/schemas are written from it (`ech0 report --schema`).

#include <string>
#include <string_view>
#include <vector>

#include "report/json.h"

namespace ech0 {

/// "ech0.fit/1" and the others, in the page's order.
std::vector<std::string> schema_names();

/// One of them as JSON Schema, draft 2020-12. Keys that the page does not list are allowed: a later version may have
/// them. @throws UsageError if there is none of that name
Json json_schema(std::string_view name);

/// What is wrong with a run's JSON by the description that its `schema` names, as sentences, at most `most` of them;
/// none if it may be read.
std::vector<std::string> schema_faults(const Json& run, size_t most);

}  // namespace ech0
