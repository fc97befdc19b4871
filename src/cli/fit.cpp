#include "report/fit.h"

#include <memory>

#include <fmt/format.h>

#include "base/text.h"

#include "cli/anatomy.h"
#include "cli/commands.h"
#include "cli/decision_options.h"
#include "cli/run_options.h"
#include "cli/terminal_look.h"
#include "ech0/units.h"
#include "runtime/workers.h"

namespace ech0 {
namespace {

struct Arguments {
    std::vector<std::string> models;
    DecisionArguments decision;
    int n_threads = 0;
    std::vector<std::string> workers;
    bool explain = false, all = false, json = false;
};

// One memory to plan with. Speeds stay those of this machine's: what the network costs is not known beforehand.
void count_workers(Machine& machine, const std::vector<std::string>& endpoints) {
    if (!endpoints.empty()) name_lost_workers(endpoints);
    for (const Worker& worker : ask_workers(endpoints)) {
        machine.model_budget_bytes += worker.memory_free_bytes;
        machine.budget_source += fmt::format(
            ", + {} free on the worker {} (speeds are as if it were all here: an upper "
            "bound over a network)",
            format_memory(worker.memory_free_bytes), printable(worker.endpoint));
    }
}

int fit(const Arguments& arguments) {
    FitOptions options{conditions_of(arguments.decision), {}, arguments.n_threads};
    for (const std::string& name : arguments.models) options.models.push_back(read_anatomy(name));
    if (options.kv_types == FitConditions{}.kv_types) options.kv_types = usual_kv_types(options.models, options.n_ctx);
    count_workers(options.machine, arguments.workers);
    const Fit result = fit(options);
    const Look look = terminal_look();
    const std::string explanation = arguments.explain ? fit_explanation(result) : "";
    print(arguments.json ? json_text(fit_json(result))
                         : wrapped(fit_text(result, arguments.all, look) + explanation, look));
    return result.recommended ? exit_yes : exit_no;
}

}  // namespace

void add_fit(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "fit", "which size of which model to take on this machine, or on another, and why",
        "  ech0 fit model-f16.gguf                                        for this machine\n"
        "  ech0 fit qwen2.5:32b qwen2.5:14b --machine m4-24gb --ctx 8192   published models, another machine\n"
        "  ech0 fit qwen3:30b-a3b --memory 16GiB --bandwidth 50GB          a machine that nobody described\n"
        "  ech0 fit qwen2.5:7b --min-tps 10 --prefer quality --explain     conditions, and the arithmetic",
        [arguments] { return fit(*arguments); });
    add_models(command, arguments->models);
    add_decision(command, arguments->decision);
    command->add_option("--rpc", arguments->workers, "workers (ggml-rpc-server) whose memory counts too")
        ->type_name("HOST:PORT,…")
        ->delimiter(',');
    command->add_flag("--explain", arguments->explain, "the arithmetic of each option");
    command->add_flag("--all", arguments->all, "every option, not only the interesting ones");
    add_threads(command, arguments->n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
