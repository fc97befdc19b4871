#pragma once

#include "cli/common.h"

namespace ech0 {

// The commands of `ech0 kv`, each in its own file.
void add_kv_plan(CommandLine& line);

}  // namespace ech0
