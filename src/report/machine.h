#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ech0/machine.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// Every field of a machine, under its own name.
Json to_json(const Machine& machine);
/// What to_json wrote. @throws Json::exception, FormatError
Machine machine_from_json(const Json& json);

/// "120.0 GB/s", or "not known" for 0.
std::string bandwidth_text(double bytes_per_s);

/// A line of a report: name and value; a line without a name goes on with what the one before said.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// What of a machine matters to a model: what memory it may take and why, how fast that is read.
Facts machine_facts(const Machine& machine);

/// "  name           value", a line for each; in Markdown a list.
std::string facts_text(const Facts& facts, const Look& look = {});

}  // namespace ech0
