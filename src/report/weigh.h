#pragma once

#include "optimize/weigh.h"
#include "report/json.h"

namespace ech0 {

/// The ways as a list of objects: `ways` of ech0.compress/1.
Json ways_json(const Weighing& weighing);

/// The ways beside each other, and what follows.
std::string ways_text(const Weighing& weighing);

/// One sentence: is it better to prune, by this much, on this evidence?
std::string verdict(const Weighing& weighing);

}  // namespace ech0
