#pragma once

#include "prune/prune.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// ech0.prune/1, without the evidence: that comes from verify.
Json prune_json(const Pruning& pruning);
/// What prune_json wrote. @throws FormatError
Pruning pruning_from_json(const Json& json);

/// What went from which layer, and what it cost with and without repair.
std::string prune_text(const Pruning& pruning, const Look& look = {});

}  // namespace ech0
