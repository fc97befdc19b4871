#pragma once

#include "prune/prune.h"
#include "report/json.h"

namespace ech0 {

/// ech0.prune/1, without the evidence: that comes from verify.
Json prune_json(const Pruning& pruning);

/// What went from which layer, and what it cost with and without repair.
std::string prune_text(const Pruning& pruning);

}  // namespace ech0
