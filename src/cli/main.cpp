#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/interrupt.h"
#include "base/nearest.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/kv.h"
#include "cli/thread_waiting.h"
#include "ech0/error.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

void add_commands(CommandLine& line) {
    add_demo(line);
    add_optimize(line);
    add_prune(line);
    add_surgeon(line);
    add_doctor(line);
    add_fit(line);
    add_models(line);
    add_inspect(line);
    add_kv(line);
    add_calibrate(line);
    add_compress(line);
    add_verify(line);
    add_bench(line);
    add_chat(line);
    add_talk(line);
    add_serve(line);
    add_setup(line);
    add_use(line);
    add_undo(line);
    add_modelfile(line);
    add_describe(line);
    add_dashboard(line);
    add_report(line);
    add_measure_alone(line);
}

void complain(std::string_view what) { fmt::print(stderr, "ech0: {}\n", printable(what, 4000)); }

// Those that a person may be told of: a hidden one has no group.
std::vector<std::string> command_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands({})) {
        if (!command->get_group().empty()) names.push_back(command->get_name());
    }
    return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
}

// The command that was being read when parsing stopped.
const CLI::App& parsed_command(const CommandLine& line) {
    const CLI::App* command = &line.app;
    while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
    return *command;
}

// As it is typed: "ech0", "ech0 kv plan".
std::string full_name(const CLI::App& command) {
    return command.get_parent() == nullptr ? "ech0" : full_name(*command.get_parent()) + " " + command.get_name();
}

std::string help_hint(const CLI::App& command) { return fmt::format("see '{} -h'", full_name(command)); }

// -h is the reference; --help begins with what people came for, examples.
void print_help(const CommandLine& line, const CLI::App& command, bool with_examples) {
    const std::string help = command.help(command.get_parent() == nullptr ? "" : full_name(*command.get_parent()));
    print(with_examples ? fmt::format("Examples:\n{}\n\n{}", line.examples.at(&command), help) : help);
}

std::string explain_extra(const CLI::App& command) {
    const std::string extra = command.remaining(true).front();
    const std::string name = extra.substr(0, extra.find('='));
    if (!name.starts_with("-")) return fmt::format("'{}' is one argument too many", name);
    const std::string meant = nearest(name, option_names(command));
    return fmt::format("no option '{}'{}", name, meant.empty() ? "" : fmt::format(", did you mean '{}'?", meant));
}

int explain_usage(const CommandLine& line, const CLI::ParseError& error) {
    const CLI::App& command = parsed_command(line);
    const std::vector<std::string> names = command_names(command);
    std::string what = error.what();
    if (!names.empty()) what = fmt::format("no command; there are {}", fmt::join(names, ", "));
    // A word that belongs nowhere explains more than what CLI11 misses because of it.
    if (!command.remaining(true).empty()) what = explain_extra(command);
    std::replace(what.begin(), what.end(), '\n', ' ');
    complain(fmt::format("{}; {}", what, help_hint(command)));
    return exit_error;
}

// CLI11 would take an unknown command for a stray argument.
void check_command(const CLI::App& app, std::span<const std::string> arguments) {
    const std::vector<std::string> names = command_names(app);
    if (names.empty() || arguments.empty() || arguments[0].starts_with("-")) return;
    for (const CLI::App* command : app.get_subcommands({}))
        if (command->get_name() == arguments[0]) return check_command(*command, arguments.subspan(1));
    const std::string meant = nearest(arguments[0], names),
                      group = app.get_parent() == nullptr ? "" : app.get_name() + " ";
    throw UsageError(fmt::format("no command '{}{}'; {}", group, printable(arguments[0]),
                                 meant.empty() ? fmt::format("there are {}", fmt::join(names, ", "))
                                               : fmt::format("did you mean '{}{}'?", group, meant)));
}

// @return the exit code if the line was answered by parsing alone
std::optional<int> parse(CommandLine& line, const std::vector<std::string>& arguments) {
    try {
        check_command(line.app, arguments);
        line.app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 wants them backwards
        return std::nullopt;
    } catch (const CLI::CallForHelp&) {
        print_help(line, parsed_command(line),
                   std::find(arguments.begin(), arguments.end(), "--help") != arguments.end());
        return exit_yes;
    } catch (const CLI::CallForVersion&) {
        print(fmt::format("ech0 {} on {}\n", ECH0_VERSION, engine_description()));
        return exit_yes;
    } catch (const CLI::ParseError& error) {
        return explain_usage(line, error);
    }
}

int run(const std::vector<std::string>& arguments) {
    CommandLine line;
    line.app.description("Make a language model fit the machine you have, and prove that it still thinks.");
    line.app.name("ech0");
    line.app.require_subcommand(1);
    line.app.set_help_flag("-h,--help", "this help; --help begins with examples");
    line.app.set_version_flag("--version", std::string(ECH0_VERSION), "versions of ech0 and of the engine");
    line.examples[&line.app] =
        "  ech0 demo                                             the whole chain on a small real model\n"
        "  ech0 optimize model.gguf --ratio 60% -o small.gguf    make it smaller, and prove what that is worth\n"
        "  ech0 chat small.gguf                                  talk to it\n"
        "  ech0 inspect model.gguf                               what is in this file\n"
        "  ech0 doctor                                           what this machine can run";
    line.app.get_formatter()->label("TEXT", "");
    line.app.get_formatter()->label("REQUIRED", "");
    line.app.get_formatter()->label("SUBCOMMAND", "COMMAND");
    add_commands(line);
    if (const std::optional<int> answered = parse(line, arguments)) return *answered;
    return line.chosen();
}

void prepare_threads(int argc, char** argv) {
    double load = 0;
    if (getloadavg(&load, 1) != 1) load = 0;
    set_waiting(best_waiting(argc > 1 ? argv[1] : "", load, static_cast<int>(std::thread::hardware_concurrency())),
                argv);
}

void prepare_signals() {
    install_interrupt_handler();
    std::signal(SIGPIPE, SIG_IGN);  // print() sees a closed pipe and ends the work in order, with no half file left
    std::signal(SIGXFSZ, SIG_IGN);  // a limit of file size is an error of write(), not death
}

}  // namespace
}  // namespace ech0

int main(int argc, char** argv) {
    using namespace ech0;
    prepare_threads(argc, argv);
    prepare_signals();
    try {
        return run({argv + 1, argv + argc});
    } catch (const Interrupted&) {
        complain("interrupted");
        return exit_interrupted;
    } catch (const ClosedPipe&) {
        return exit_yes;
    } catch (const std::bad_alloc&) {
        complain("out of memory: close other programs, or take a smaller model");
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::broken_pipe) return exit_yes;
        complain(error.what());
    } catch (const std::exception& error) {
        complain(error.what());
    }
    return exit_error;
}
