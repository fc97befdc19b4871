#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "ech0/units.h"
#include "install/config.h"

namespace ech0 {

// What a command may return; see STYLE.md, "CLI manners".
constexpr int exit_yes = 0;  ///< done, or yes
constexpr int exit_no = 1;   ///< an honest no: it does not fit, the evidence fails
constexpr int exit_error = 2;
constexpr int exit_interrupted = 130;

/// The command line: commands add themselves, parsing chooses one, main runs it.
struct CommandLine {
    CLI::App app;
    std::map<const CLI::App*, std::string> examples;  ///< by command
    std::function<int()> chosen;
};

/// A subcommand. `examples` are lines of "command   what it does", shown first by --help; `run` is called after
/// parsing, when the options it captured have their values.
CLI::App* add_command(CommandLine& line, const std::string& name, const std::string& does, const std::string& examples,
                      std::function<int()> run);

// Options that several commands have, with one spelling and one help text.
CLI::Option* add_model(CLI::App* command, std::string& model);                ///< MODEL, required
CLI::Option* add_model_or_configured(CLI::App* command, std::string& model);  ///< MODEL, or what 'ech0 use' chose
CLI::Option* add_json(CLI::App* command, bool& json);                         ///< --json
CLI::Option* add_memory(CLI::App* command, int64_t& bytes);                   ///< --memory SIZE, of compress
CLI::Option* add_threads(CLI::App* command, int& n_threads);                  ///< --threads N
CLI::Option* add_seed(CLI::App* command, uint64_t& seed);                     ///< --seed N
CLI::Option* add_dry_run(CLI::App* command, bool& dry_run);                   ///< --dry-run
/// An option whose value is a size: 60MB, 17.8GiB, 16g. @throws UsageError while parsing, if it is none
CLI::Option* add_size(CLI::App* command, const std::string& name, int64_t& bytes, const std::string& help);
/// An option whose value is bits per weight: 3.5bpw.
CLI::Option* add_bits(CLI::App* command, const std::string& name, double& bits_per_weight, const std::string& help);
/// An option whose value is a share of a whole: 0.6, 60%.
CLI::Option* add_share(CLI::App* command, const std::string& name, double& share, const std::string& help);
/// An option whose value is how much is to go: 3, 300M, 20%.
CLI::Option* add_amount(CLI::App* command, const std::string& name, Amount& amount, const std::string& help);

/// The model that was named, else the one of the settings.
/// @throws UsageError if neither names one
std::string model_or_configured(const std::string& model, const Config& config);

/// Write a result to stdout.
/// @throws ClosedPipe if nobody reads any more; FileError if it can't be written (a full disk behind a redirection)
void print(std::string_view text);

/// The reader of our output went away (`| head`): nothing failed, and nothing more is to be said.
class ClosedPipe : public std::exception {};

}  // namespace ech0
