#include "report/bench.h"

#include <memory>

#include "base/process.h"
#include "cli/commands.h"
#include "cli/progress.h"

namespace ech0 {
namespace {

struct Arguments {
    BenchOptions options;
    std::string kv = "f16";
    bool json = false;
};

int bench(const Arguments& arguments) {
    BenchOptions options = arguments.options;
    options.speed.type_k = options.speed.type_v = arguments.kv;
    options.program = this_executable();
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
                    "  ech0 bench a.gguf --prompt 2048 --ctx 8192 --kv q8_0",
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
    add_threads(command, options.speed.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
