#include "report/bench.h"

#include <memory>

#include "base/process.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

struct Arguments {
    BenchOptions options;
    RunOptions run;
    std::string kv = "f16";
    bool json = false;
};

/// How each model is spread over the workers; none without --rpc.
std::vector<Split> splits(const Arguments& arguments) {
    RunOptions run = arguments.run;
    const SpeedOptions& speed = arguments.options.speed;
    run.wish = {.n_ctx = speed.n_ctx, .kv_type = arguments.kv, .n_threads = speed.n_threads};
    if (run.workers.empty() && run.layers.empty()) {
        if (run.memory_bytes > 0) throw UsageError("--memory needs the workers that take the rest: --rpc HOST:PORT,…");
        return {};
    }
    std::vector<Split> splits;
    for (const std::string& name : arguments.options.models)
        splits.push_back(plan_run_here(read_model(name), run, {}).split);
    return splits;
}

int bench(const Arguments& arguments) {
    BenchOptions options = arguments.options;
    options.speed.type_k = options.speed.type_v = arguments.kv;
    options.program = this_executable();
    options.splits = splits(arguments);
    ProgressLine progress;
    const Bench result = bench(options, progress.callback());
    print(arguments.json ? json_text(bench_json(result)) : bench_text(result));
    return exit_yes;
}

}  // namespace

void add_bench(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "bench", "speed and memory of models on this machine, predicted beside measured",
                    "  ech0 bench a.gguf b.gguf                       each alone in a process, three times in turn\n"
                    "  ech0 bench a.gguf --prompt 2048 --ctx 8192 --kv q8_0\n"
                    "  ech0 bench a.gguf --rpc 192.168.1.7:50052       beside the same over this machine and a worker",
                    [arguments] { return bench(*arguments); });
    BenchOptions& options = arguments->options;
    command->add_option("MODEL", options.models, "a .gguf file, or 'demo'")->required();
    command->add_option("--prompt", options.speed.n_prompt, "tokens to read")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    command->add_option("--generate", options.speed.n_generate, "tokens to generate")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    command->add_option("--ctx", options.speed.n_ctx, "tokens of context")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    command->add_option("--kv", arguments->kv, "type of the KV cache")->type_name("TYPE")->capture_default_str();
    command->add_option("--repeat", options.n_repeats, "times that each model is run")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(1, 100));
    add_worker_options(command, arguments->run);
    add_threads(command, options.speed.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
