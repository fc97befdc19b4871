#include "report/dashboard.h"

#include <algorithm>
#include <memory>
#include <set>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/anatomy.h"
#include "cli/commands.h"
#include "cli/decision_options.h"
#include "cli/run_file.h"
#include "ech0/error.h"
#include "report/page.h"
#include "runtime/cache_types.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

struct Arguments {
    std::vector<std::string> models, with;
    DecisionArguments decision;
    std::filesystem::path out = "dashboard.html";
    int n_threads = 0;
    bool open = false, json = false;
};

/// Contexts that the page's slider stops at: powers of two, and the one that was asked for.
std::vector<int64_t> contexts_of(const std::vector<Model>& models, int64_t asked) {
    constexpr int64_t least = 512, most = 131072;
    int64_t longest = 0;
    for (const Model& model : models) longest = std::max(longest, model.n_ctx_train);
    std::set<int64_t> contexts = {asked};
    for (int64_t n_ctx = least; n_ctx <= std::min(longest, most); n_ctx *= 2) contexts.insert(n_ctx);
    return {contexts.begin(), contexts.end()};
}

/// Types of cache whose blocks divide every model's heads.
std::vector<std::string> kv_types_of(const std::vector<Model>& models, const std::vector<std::string>& asked) {
    std::vector<std::string> types = asked;
    for (const char* name : {"f16", "q8_0", "q4_0"}) {
        const bool fits = std::all_of(models.begin(), models.end(), [&](const Model& model) {
            return row_fits(type_by_name(name), model.n_embd_head_k) &&
                   row_fits(type_by_name(name), model.n_embd_head_v);
        });
        if (fits && std::find(types.begin(), types.end(), name) == types.end()) types.emplace_back(name);
    }
    return types;
}

std::string command_of(const Arguments& arguments) {
    std::string command = "ech0 dashboard";
    for (const std::string& model : arguments.models) command += " " + shell_word(model);
    command += words_of(arguments.decision);
    for (const std::string& run : arguments.with) command += " --with " + shell_word(run);
    return command + " -o " + shell_word(arguments.out.string());
}

Dashboard dashboard_of(const Arguments& arguments) {
    Dashboard dashboard;
    for (const std::string& file : arguments.with) dashboard.runs.push_back(read_run(file));
    for (const std::string& name : arguments.models) dashboard.models.push_back(read_anatomy(name));
    dashboard.conditions = conditions_of(arguments.decision);
    // The page computes with one type for both.
    for (const std::string& name : dashboard.conditions.kv_types)
        if (const CacheTypes types = cache_types(name); types.k != types.v)
            throw UsageError(fmt::format("--kv {}: the page knows caches of one type only; 'ech0 fit' has pairs", name));
    for (const Model& model : dashboard.models) check_context(model, dashboard.conditions.n_ctx);
    dashboard.here = dashboard.conditions.machine.is_this ? dashboard.conditions.machine : probe_machine();
    dashboard.basis = make_basis({.models = dashboard.models,
                                  .contexts = contexts_of(dashboard.models, dashboard.conditions.n_ctx),
                                  .kv_types = kv_types_of(dashboard.models, dashboard.conditions.kv_types),
                                  .this_machine = true,
                                  .n_threads = arguments.n_threads});
    dashboard.decision = decide(dashboard.basis, dashboard.conditions);
    const std::string machine = score_machine(arguments.n_threads);
    for (const Score& score : read_scores())
        if (score.machine == machine) dashboard.scores.push_back(score);
    dashboard.command = command_of(arguments);
    return dashboard;
}

int dashboard(const Arguments& arguments) {
    const Dashboard result = dashboard_of(arguments);
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
