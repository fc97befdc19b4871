#include "cli/describe.h"

#include <memory>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "cli/commands.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

// Those that a person may be told of: a hidden one has no group.
std::vector<const CLI::App*> commands_of(const CommandLine& line) {
    std::vector<const CLI::App*> commands;
    for (const CLI::App* command : line.app.get_subcommands({}))
        if (!command->get_group().empty()) commands.push_back(command);
    return commands;
}

/// An option as it is typed: "-c", "--ctx".
std::vector<std::string> spellings(const CLI::Option& option) {
    std::vector<std::string> words;
    for (const std::string& name : option.get_snames()) words.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) words.push_back("--" + name);
    return words;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::string roff(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        const bool begins_line = escaped.empty() || escaped.back() == '\n';
        if (begins_line && (c == '.' || c == '\'')) escaped += "\\&";
        escaped += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
    }
    return escaped;
}

std::string man_options(const CLI::App& command) {
    std::string text;
    for (const CLI::Option* option : command.get_options()) {
        const bool is_argument = option->get_positional();
        const std::string name =
            is_argument ? option->get_name(true) : fmt::format("{}", fmt::join(spellings(*option), ", "));
        if (name.empty()) continue;
        const std::string value = !is_argument && takes_value(*option) ? " " + option->get_type_name() : "";
        text += fmt::format(".TP\n.B {}{}\n{}\n", roff(name), roff(value), roff(option->get_description()));
        if (!option->get_default_str().empty()) text += fmt::format("Default: {}.\n", roff(option->get_default_str()));
    }
    return text;
}

// Options and arguments of one command in a shell's case.
std::string bash_case(const CLI::App& command) {
    std::vector<std::string> words;
    for (const CLI::Option* option : command.get_options())
        for (const std::string& word : spellings(*option)) words.push_back(word);
    return fmt::format("        {}) words=\"{}\" ;;\n", command.get_name(), fmt::join(words, " "));
}

std::string bash_completions(const CommandLine& line) {
    std::vector<std::string> names;
    std::string cases;
    for (const CLI::App* command : commands_of(line)) {
        names.push_back(command->get_name());
        cases += bash_case(*command);
    }
    return fmt::format(
        "# bash completion of ech0, written by the program itself\n"
        "_ech0() {{\n"
        "    local word=\"${{COMP_WORDS[COMP_CWORD]}}\" words=\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        COMPREPLY=($(compgen -W \"{} --help --version\" -- \"$word\"))\n"
        "        return\n"
        "    fi\n"
        "    case \"${{COMP_WORDS[1]}}\" in\n{}    esac\n"
        "    case \"$word\" in\n"
        "        -*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
        "        *) COMPREPLY=($(compgen -f -- \"$word\") $(compgen -W demo -- \"$word\")) ;;\n"
        "    esac\n"
        "}}\n"
        "complete -o filenames -F _ech0 ech0\n",
        fmt::join(names, " "), cases);
}

// For the quotes of zsh and fish, both single.
std::string quoted(std::string_view text, std::string_view special) {
    std::string result;
    for (const char c : text) {
        if (c == '\'')
            result += "'\\''";
        else if (special.find(c) != std::string_view::npos)
            result += std::string("\\") + c;
        else
            result += c == '\n' ? ' ' : c;
    }
    return result;
}

std::string zsh_arguments(const CLI::App& command) {
    std::string text;
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& word : spellings(*option))
            text += fmt::format(" \\\n                '{}[{}]{}'", word, quoted(option->get_description(), "[]:\\"),
                                takes_value(*option) ? ":" + quoted(option->get_type_name(), ":\\") + ":_files" : "");
    }
    return text + " \\\n                '*:file:_files'";
}

std::string zsh_completions(const CommandLine& line) {
    std::string names, cases;
    for (const CLI::App* command : commands_of(line)) {
        names += fmt::format("        '{}:{}'\n", command->get_name(), quoted(command->get_description(), ":\\"));
        cases += fmt::format("            {}) _arguments{} ;;\n", command->get_name(), zsh_arguments(*command));
    }
    return fmt::format(
        "#compdef ech0\n"
        "# zsh completion of ech0, written by the program itself\n"
        "_ech0() {{\n"
        "    local -a commands\n"
        "    commands=(\n{}    )\n"
        "    if (( CURRENT == 2 )); then\n"
        "        _describe command commands\n"
        "    else\n"
        "        local command=$words[2]\n"
        "        shift words\n"
        "        (( CURRENT-- ))\n"
        "        case $command in\n{}        esac\n"
        "    fi\n"
        "}}\n"
        "_ech0 \"$@\"\n",
        names, cases);
}

std::string fish_completions(const CommandLine& line) {
    std::string text = "# fish completion of ech0, written by the program itself\n";
    for (const CLI::App* command : commands_of(line)) {
        text += fmt::format("complete -c ech0 -n __fish_use_subcommand -f -a {} -d '{}'\n", command->get_name(),
                            quoted(command->get_description(), "\\"));
        for (const CLI::Option* option : command->get_options()) {
            if (spellings(*option).empty()) continue;
            std::string names;
            for (const std::string& name : option->get_snames()) names += " -s " + name;
            for (const std::string& name : option->get_lnames()) names += " -l " + name;
            text +=
                fmt::format("complete -c ech0 -n '__fish_seen_subcommand_from {}'{}{} -d '{}'\n", command->get_name(),
                            names, takes_value(*option) ? " -r" : "", quoted(option->get_description(), "\\"));
        }
    }
    return text;
}

struct Arguments {
    std::string what, command;
};

}  // namespace

std::string man_page(const CommandLine& line, const std::string& name) {
    const CLI::App* page = &line.app;
    for (const CLI::App* command : commands_of(line))
        if (command->get_name() == name) page = command;
    const bool is_program = page == &line.app;
    const std::string title = is_program ? "ech0" : "ech0-" + page->get_name();
    std::string text = fmt::format(".TH {} 1 \"\" \"ech0 {}\" \"ech0\"\n.SH NAME\n{} \\- {}\n", roff(title),
                                   ECH0_VERSION, roff(title), roff(page->get_description()));
    text += fmt::format(".SH SYNOPSIS\n.B {}\n{}\n", roff(is_program ? "ech0" : "ech0 " + page->get_name()),
                        is_program ? "COMMAND [OPTIONS]" : "[OPTIONS]");
    if (is_program) {
        text += ".SH COMMANDS\n";
        for (const CLI::App* command : commands_of(line))
            text += fmt::format(".TP\n.BR ech0\\-{} (1)\n{}\n", roff(command->get_name()),
                                roff(command->get_description()));
    }
    text += ".SH OPTIONS\n" + man_options(*page);
    text += fmt::format(".SH EXAMPLES\n.nf\n{}\n.fi\n", roff(line.examples.at(page)));
    text += ".SH EXIT STATUS\n0: done, or yes. 1: an honest no. 2: an error, in one line. 130: interrupted.\n";
    return text + (is_program ? "" : ".SH SEE ALSO\n.BR ech0 (1)\n");
}

std::string completions(const CommandLine& line, const std::string& shell) {
    if (shell == "bash") return bash_completions(line);
    if (shell == "zsh") return zsh_completions(line);
    if (shell == "fish") return fish_completions(line);
    throw UsageError(fmt::format("no completions for '{}'; bash, zsh and fish are known", printable(shell)));
}

// Hidden: the installation calls it.
void add_describe(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "describe", "manual pages and completions, for the installation", "", [&line, arguments] {
            if (arguments->what == "commands")
                for (const CLI::App* found : commands_of(line)) print(found->get_name() + "\n");
            else
                print(arguments->what == "man" ? man_page(line, arguments->command)
                                               : completions(line, arguments->what));
            return exit_yes;
        });
    command->group("");
    command->add_option("WHAT", arguments->what, "commands, man, bash, zsh or fish")->required();
    command->add_option("COMMAND", arguments->command, "whose manual page (default: the program's)");
}

}  // namespace ech0
