#include "report/fit.h"

#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "cli/anatomy.h"
#include "cli/commands.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "runtime/workers.h"

namespace ech0 {
namespace {

struct Arguments {
    FitOptions options;
    std::vector<std::string> models;
    std::string machine = "this", prefer = "balanced";
    std::vector<std::string> workers;
    int64_t memory_bytes = 0, read_bytes_per_s = 0;
    bool explain = false, all = false, json = false;
};

// One memory to plan with. Speeds stay those of this machine's: what the network costs is not known beforehand.
void count_workers(Machine& machine, const std::vector<std::string>& endpoints) {
    for (const Worker& worker : ask_workers(endpoints)) {
        machine.model_budget_bytes += worker.memory_free_bytes;
        machine.budget_source += fmt::format(
            ", + {} free on the worker {} (speeds are as if it were all here: an upper "
            "bound over a network)",
            format_memory(worker.memory_free_bytes), printable(worker.endpoint));
    }
}

int fit(const Arguments& arguments) {
    FitOptions options = arguments.options;
    for (const std::string& name : arguments.models) options.models.push_back(read_anatomy(name));
    options.prefer = arguments.prefer == "quality" ? Prefer::quality
                     : arguments.prefer == "speed" ? Prefer::speed
                                                   : Prefer::balanced;
    options.machine = with_overrides(find_machine(arguments.machine), arguments.memory_bytes,
                                     static_cast<double>(arguments.read_bytes_per_s));
    count_workers(options.machine, arguments.workers);
    const Fit result = fit(options);
    print(arguments.json ? json_text(fit_json(result))
                         : fit_text(result, arguments.all) + (arguments.explain ? fit_explanation(result) : ""));
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
    FitOptions& options = arguments->options;
    command
        ->add_option("MODEL", arguments->models,
                     "a .gguf file, 'demo', a published model without its weights (qwen2.5:32b), or one on the hub "
                     "(hf:ORG/REPO)")
        ->required();
    command->add_option("--machine", arguments->machine, "a described machine: ech0 doctor --profiles lists them")
        ->type_name("NAME")
        ->capture_default_str();
    add_size(command, "--memory", arguments->memory_bytes,
             "what the model may take, instead of what the machine gives");
    add_size(command, "--bandwidth", arguments->read_bytes_per_s, "what its memory reads in a second: 120GB");
    command->add_option("--rpc", arguments->workers, "workers (ggml-rpc-server) whose memory counts too")
        ->type_name("HOST:PORT,…")
        ->delimiter(',');
    command->add_option("--ctx", options.n_ctx, "tokens of context")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(int64_t{64}, int64_t{1} << 24));
    command->add_option("--kv", options.kv_types, "types of the KV cache to consider")
        ->type_name("TYPE")
        ->delimiter(',');
    command->add_option("--prefer", arguments->prefer, "quality, balanced or speed")
        ->type_name("WHAT")
        ->capture_default_str()
        ->check(CLI::IsMember({"quality", "balanced", "speed"}));
    command->add_option("--min-tps", options.min_tokens_per_s, "refuse what is slower, in tokens per second")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
    command->add_flag("--explain", arguments->explain, "the arithmetic of each option");
    command->add_flag("--all", arguments->all, "every option, not only the interesting ones");
    add_threads(command, options.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
