#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/paths.h"
#include "cli/calibration_options.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "ech0/error.h"
#include "ech0/machine.h"
#include "report/surgeon.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model, analyst, output, run, machine = "this";
    CalibrationArguments text;
    PruneOptions prune;
    bool facts_only = false, quick = false, json = false;
};

// A brief of some forty facts, a question and an answer.
constexpr int64_t brief_context = 4096;

/// The verdict of an earlier run of compress --allow-prune.
std::string verdict_of(const std::string& file) {
    if (file.empty()) return "";
    const nlohmann::json run = nlohmann::json::parse(read_file(file), nullptr, false);
    if (!run.is_object() || !run.contains("verdict") || !run["verdict"].is_string())
        throw UsageError(file + ": no verdict in it: it is no JSON of ech0 compress --allow-prune");
    return run["verdict"].get<std::string>();
}

std::vector<PruneOutlook> outlooks(const Model& model, const Arguments& arguments, const Progress& progress) {
    if (arguments.quick) return {};
    PruneOptions options = arguments.prune;
    options.text = calibration_text(model, arguments.text, options.n_threads, progress);
    options.out = cache_folder() / "surgeon";  // what was measured is found again if this run is stopped
    return outlook_of(model, options, {0.05, 0.1, 0.2, 0.3}, progress);
}

int surgeon(const Arguments& arguments) {
    const std::string verdict = verdict_of(arguments.run);
    const Model model = read_model(arguments.model);
    const std::string analyst_name = arguments.analyst.empty() ? arguments.model : arguments.analyst;
    const Model analyst = read_model(analyst_name);
    ProgressLine progress;
    const Brief brief = make_brief(model, outlooks(model, arguments, progress.callback()),
                                   find_machine(arguments.machine).model_budget_bytes);
    std::vector<Opinion> opinions;
    int64_t asked = 0;
    if (!arguments.facts_only)
        opinions = ask_surgeon(analyst, {.n_ctx = brief_context, .n_threads = arguments.prune.n_threads}, brief,
                               [&](const std::string&) { progress.callback()("ask", asked++, 5); });
    const std::string page = arguments.json ? json_text(surgeon_json(brief, analyst_name, opinions, verdict))
                                            : surgeon_markdown(brief, analyst_name, opinions, verdict);
    if (arguments.output.empty()) {
        print(page);
    } else {
        AtomicFile file(arguments.output);
        file.write(page);
        file.commit();
    }
    return exit_yes;
}

}  // namespace

void add_surgeon(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "surgeon", "what could be cut from a model: measured facts, and a model's opinion held against them",
        "  ech0 surgeon model.gguf                                  the model about itself\n"
        "  ech0 surgeon model.gguf --analyst larger.gguf -o page.md\n"
        "  ech0 surgeon model.gguf --with run.json                  beside the verdict of compress --allow-prune",
        [arguments] { return surgeon(*arguments); });
    add_model(command, arguments->model);
    command->add_option("--analyst", arguments->analyst, "the model that is asked (default: MODEL itself)")
        ->type_name("MODEL");
    command->add_option("--machine", arguments->machine, "for another machine's budget, as fit --machine")
        ->type_name("NAME");
    command
        ->add_option("--with", arguments->run,
                     "JSON of ech0 compress --allow-prune: its verdict stands beside the opinion")
        ->type_name("RUN.json");
    command->add_option("-o,--output", arguments->output, "write the page here instead of to stdout")
        ->type_name("FILE");
    command->add_flag("--facts", arguments->facts_only, "the facts alone, ask nobody");
    command->add_flag("--quick", arguments->quick, "do not measure what removals would cost");
    add_calibration(command, arguments->text);
    command->add_option("--tokens", arguments->prune.n_tokens, "of the calibration text")
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--ctx", arguments->prune.n_ctx, "tokens per piece of text")
        ->type_name("N")
        ->capture_default_str();
    add_threads(command, arguments->prune.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
