#include "cli/common.h"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "ech0/error.h"
#include "ech0/units.h"

namespace ech0 {

CLI::App* add_command(CommandLine& line, const std::string& name, const std::string& does, const std::string& examples,
                      std::function<int()> run) {
    CLI::App* const command = line.app.add_subcommand(name, does);
    line.examples[command] = examples;
    command->callback([&line, run = std::move(run)] { line.chosen = run; });
    return command;
}

CLI::Option* add_model(CLI::App* command, std::string& model) {
    return command
        ->add_option("MODEL", model,
                     "a .gguf file (of a split one, any part), 'demo', or a name that 'ech0 models' lists")
        ->required();
}

CLI::Option* add_model_or_configured(CLI::App* command, std::string& model) {
    return command->add_option(
        "MODEL", model, "a .gguf file, 'demo', or a name that 'ech0 models' lists (default: what 'ech0 use' chose)");
}

CLI::Option* add_json(CLI::App* command, bool& json) {
    return command->add_flag("--json", json, "print one JSON object instead of text");
}

CLI::Option* add_memory(CLI::App* command, int64_t& bytes) {
    return add_size(command, "--memory", bytes,
                    "the most memory to take while compressing, 3GiB: what does not fit goes to the output's folder; "
                    "default: what is free");
}

CLI::Option* add_threads(CLI::App* command, int& n_threads) {
    return command->add_option("--threads", n_threads, "threads to use (default: every core this process may use)")
        ->type_name("N")
        ->check(CLI::Range(1, 4096));
}

CLI::Option* add_seed(CLI::App* command, uint64_t& seed) {
    return command->add_option("--seed", seed, "seed of everything random; the same seed gives the same result")
        ->type_name("N");
}

CLI::Option* add_dry_run(CLI::App* command, bool& dry_run) {
    return command->add_flag("--dry-run", dry_run, "say what would be written, and write nothing");
}

namespace {

// An option whose text one of units.h reads; what that says of bad text gets the option's name.
template <class Value>
CLI::Option* add_parsed(CLI::App* command, const std::string& name, Value& value, Value (*parse)(std::string_view),
                        const char* type_name, const std::string& help) {
    const auto read = [&value, name, parse](const std::string& text) {
        try {
            value = parse(text);
        } catch (Error& error) {
            error.add_context(name);
            throw;
        }
    };
    return command->add_option_function<std::string>(name, read, help)->type_name(type_name);
}

}  // namespace

CLI::Option* add_size(CLI::App* command, const std::string& name, int64_t& bytes, const std::string& help) {
    return add_parsed(command, name, bytes, parse_size, "SIZE", help);
}

CLI::Option* add_bits(CLI::App* command, const std::string& name, double& bits_per_weight, const std::string& help) {
    return add_parsed(command, name, bits_per_weight, parse_bits_per_weight, "BITS", help);
}

CLI::Option* add_share(CLI::App* command, const std::string& name, double& share, const std::string& help) {
    return add_parsed(command, name, share, parse_share, "SHARE", help);
}

CLI::Option* add_amount(CLI::App* command, const std::string& name, Amount& amount, const std::string& help) {
    return add_parsed(command, name, amount, parse_amount, "AMOUNT", help);
}

std::string model_or_configured(const std::string& model, const Config& config) {
    if (!model.empty()) return model;
    if (!config.model.empty()) return config.model;
    throw UsageError("no MODEL: name one, or choose one for good by 'ech0 use MODEL'");
}

void print(std::string_view text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (written) return;
    const int code = errno;
    if (code == EPIPE) throw ClosedPipe();
    throw FileError(fmt::format("write the result to stdout: {}", std::generic_category().message(code)));
}

}  // namespace ech0
