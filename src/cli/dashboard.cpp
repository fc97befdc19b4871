#include "report/dashboard.h"

#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/anatomy.h"
#include "cli/commands.h"
#include "cli/dashboard_data.h"
#include "cli/decision_options.h"
#include "cli/run_file.h"
#include "ech0/error.h"
#include "report/page.h"

namespace ech0 {
namespace {

struct Arguments {
    std::vector<std::string> models, with;
    DecisionArguments decision;
    std::filesystem::path out = "dashboard.html";
    int n_threads = 0;
    bool open = false, json = false;
};

std::string command_of(const Arguments& arguments) {
    std::string command = "ech0 dashboard";
    for (const std::string& model : arguments.models) command += " " + shell_word(model);
    command += words_of(arguments.decision);
    for (const std::string& run : arguments.with) command += " --with " + shell_word(run);
    return command + " -o " + shell_word(arguments.out.string());
}

DashboardWish wish_of(const Arguments& arguments) {
    DashboardWish wish;
    for (const std::string& file : arguments.with) wish.runs.push_back(read_run(file));
    for (const std::string& name : arguments.models) wish.models.push_back(read_anatomy(name));
    wish.conditions = conditions_of(arguments.decision);
    wish.n_threads = arguments.n_threads;
    wish.command = command_of(arguments);
    return wish;
}

int dashboard(const Arguments& arguments) {
    const Dashboard result = make_dashboard(wish_of(arguments));
    const Json json = dashboard_json(result);
    write_file(arguments.out, page_html(json));
    print(arguments.json ? json_text(json) : dashboard_text(result, arguments.out.string()));
    if (arguments.open) open_in_browser(arguments.out);
    return result.decision.recommended ? exit_yes : exit_no;
}

}  // namespace

void add_dashboard(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "dashboard", "the decision as a page: options, what-if, evidence and a guide, in one HTML file",
        "  ech0 dashboard model-f16.gguf --open                                        on this machine\n"
        "  ech0 dashboard qwen2.5:32b qwen2.5:14b --machine m4-24gb -o choice.html     published models, another one\n"
        "  ech0 dashboard model-f16.gguf --with run.json --with verify.json            beside what was measured",
        [arguments] { return dashboard(*arguments); });
    add_models(command, arguments->models);
    add_decision(command, arguments->decision);
    command->add_option("--with", arguments->with, "a run's JSON to show beside it: of verify, compress, prune, …")
        ->type_name("RUN.json")
        ->check(CLI::ExistingFile);
    command->add_option("-o,--output", arguments->out, "the page to write")->type_name("FILE")->capture_default_str();
    command->add_flag("--open", arguments->open, "show it in the browser");
    add_threads(command, arguments->n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
