#include "cli/command_group.h"

#include <utility>

namespace ech0 {

CLI::App* add_command_group(CommandLine& line, const std::string& name, const std::string& does) {
    CLI::App* const group = line.app.add_subcommand(name, does);
    group->require_subcommand(1);
    return group;
}

CLI::App* add_command(CommandLine& line, CLI::App* group, const std::string& name, const std::string& does,
                      const std::string& examples, std::function<int()> run) {
    CLI::App* const command = group->add_subcommand(name, does);
    line.examples[command] = examples;
    std::string& all = line.examples[group];
    all += (all.empty() ? "" : "\n") + examples;
    command->callback([&line, run = std::move(run)] { line.chosen = run; });
    return command;
}

}  // namespace ech0
