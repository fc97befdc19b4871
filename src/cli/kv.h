#pragma once

#include "cli/common.h"

namespace ech0 {

/// The group `ech0 kv`, and all its commands.
void add_kv(CommandLine& line);

// Its commands, each in a file of its own.
void add_kv_plan(CommandLine& line, CLI::App* kv);

}  // namespace ech0
