#pragma once

// What removals cost, as text in the folder of work: a run that was stopped, or asks for another repair, need not
// measure it again.

#include <optional>
#include <string>

#include "prune/choose.h"

namespace ech0 {

std::string cost_record(const CutCosts& costs);

/// Nothing if the text is no such record.
std::optional<CutCosts> costs_of_record(const std::string& text);

}  // namespace ech0
