#pragma once

#include <functional>
#include <string>

#include "cli/common.h"

namespace ech0 {

/// A command of commands: `ech0 kv`, for `ech0 kv plan`. Its examples are those of its commands.
CLI::App* add_command_group(CommandLine& line, const std::string& name, const std::string& does);

/// A subcommand of such a group; as add_command of common.h.
CLI::App* add_command(CommandLine& line, CLI::App* group, const std::string& name, const std::string& does,
                      const std::string& examples, std::function<int()> run);

}  // namespace ech0
