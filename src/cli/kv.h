#pragma once

#include "cli/common.h"

namespace ech0 {

/// The group `ech0 kv`, and all its commands.
void add_kv(CommandLine& line);

// Its commands, each in a file of its own.
void add_kv_info(CommandLine& line, CLI::App* kv);
void add_kv_keep(CommandLine& line, CLI::App* kv);
void add_kv_pack(CommandLine& line, CLI::App* kv);
void add_kv_plan(CommandLine& line, CLI::App* kv);
void add_kv_profile(CommandLine& line, CLI::App* kv);
void add_kv_unpack(CommandLine& line, CLI::App* kv);

}  // namespace ech0
