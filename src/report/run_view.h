#pragma once

#include <string>

#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// A run's JSON in the words of the command that wrote it, as text or as Markdown. Formats that no command shows on a
/// page of its own become a list of their values.
/// @param run  checked by schema_faults. @throws FormatError if it contradicts itself
std::string run_view(const Json& run, const Look& look);

}  // namespace ech0
