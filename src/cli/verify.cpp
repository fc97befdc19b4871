#include "verify/verify.h"

#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/private_memory.h"
#include "base/process.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "kv/cache_bytes.h"
#include "report/verify.h"
#include "verify/speed.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string original;
    std::vector<std::string> candidates;
    std::string text;
    std::vector<std::filesystem::path> calibration;
    VerifyOptions options;
    double max_kl = 0;
    bool json = false;
};

VerifyOptions options_of(const Arguments& arguments) {
    VerifyOptions options = arguments.options;
    options.text = arguments.text;
    if (!arguments.calibration.empty()) options.calibration = read_calibration_text(arguments.calibration);
    options.program = this_executable();
    options.command =
        fmt::format("ech0 verify {} {} --text {} --ctx {} --chunks {}{}", arguments.original,
                    fmt::join(arguments.candidates, " "), arguments.text.empty() ? "embedded" : arguments.text,
                    options.n_ctx, options.n_chunks, options.quick ? " --quick" : "");
    return options;
}

bool within(const Evidence& evidence, double max_kl) {
    for (const Candidate& candidate : evidence.candidates) {
        if (candidate.kl_divergence.mean > max_kl) return false;
    }
    return true;
}

int verify(const Arguments& arguments) {
    const Model original = read_model(arguments.original);
    std::vector<Model> candidates;
    for (const std::string& candidate : arguments.candidates) candidates.push_back(read_model(candidate));
    ProgressLine progress;
    const Evidence evidence = verify(original, candidates, options_of(arguments), progress.callback());
    print(arguments.json ? json_text(verify_json(evidence)) : verify_text(evidence));
    return arguments.max_kl <= 0 || within(evidence, arguments.max_kl) ? exit_yes : exit_no;
}

struct AloneArguments {
    std::string model;
    SpeedOptions options;
    std::vector<std::string> remote;
    bool cache_bytes = false;
};

SpeedOptions with_workers(const AloneArguments& arguments) {
    SpeedOptions options = arguments.options;
    std::vector<std::string> endpoints;
    for (const std::string& word : arguments.remote) {
        options.remote.push_back(read_share(word));
        endpoints.push_back(options.remote.back().endpoint);
    }
    if (!endpoints.empty()) name_lost_workers(endpoints);
    return options;
}

int measure_alone(const AloneArguments& arguments) {
    const SpeedOptions options = with_workers(arguments);
    if (arguments.cache_bytes) settle_private_memory();
    if (arguments.cache_bytes)
        print(context_bytes_text(measure_context_bytes(read_model(arguments.model), options.n_ctx,
                                                       {options.type_k, options.type_v}, options.n_threads)));
    else
        print(speed_json(measure_speed(read_model(arguments.model), options)) + "\n");
    return exit_yes;
}

}  // namespace

void add_verify(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "verify", "how far candidates are from their original: divergence, answers, speed, memory",
        "  ech0 verify model-f16.gguf model-q4.gguf                    on ech0's own evaluation text\n"
        "  ech0 verify model-f16.gguf a.gguf b.gguf --text my.txt      two candidates, paired, on your text\n"
        "  ech0 verify model-f16.gguf a.gguf --quick --max-kl 0.05     for a script: exit status 1 if it is further "
        "away",
        [arguments] { return verify(*arguments); });
    VerifyOptions& options = arguments->options;
    command
        ->add_option("ORIGINAL", arguments->original,
                     "the model as it should be: a .gguf file, 'demo', or a name that 'ech0 models' lists")
        ->required();
    command->add_option("CANDIDATE", arguments->candidates, "models of the same vocabulary to compare with it")
        ->required();
    command->add_option("--text", arguments->text, "text file to judge by (default: ech0's own)")->type_name("FILE");
    command
        ->add_option("--calibration-text", arguments->calibration,
                     "texts the candidates were calibrated on, which --text must not repeat (default: ech0's own)")
        ->type_name("FILE");
    command->add_option("--ctx", options.n_ctx, "tokens per chunk")->type_name("N")->capture_default_str();
    command->add_option("--chunks", options.n_chunks, "at most so many chunks (default: all the text)")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    command->add_option("--max-kl", arguments->max_kl, "exit with 1 if a candidate's mean KL divergence is larger")
        ->type_name("NATS")
        ->check(CLI::PositiveNumber);
    command->add_flag("--quick", options.quick, "without retrieval, speed and memory");
    add_threads(command, options.n_threads);
    add_seed(command, options.seed);
    add_json(command, arguments->json);
}

void add_measure_alone(CommandLine& line) {
    const auto arguments = std::make_shared<AloneArguments>();
    CLI::App* const command =
        add_command(line, measure_alone_command, "what verify runs to measure a model in a process of its own", "",
                    [arguments] { return measure_alone(*arguments); });
    command->group("");  // hidden
    SpeedOptions& options = arguments->options;
    add_model(command, arguments->model);
    command->add_option("--prompt", options.n_prompt)->check(CLI::PositiveNumber);
    command->add_option("--generate", options.n_generate)->check(CLI::PositiveNumber);
    command->add_option("--ctx", options.n_ctx)->check(CLI::PositiveNumber);
    command->add_option("--threads", options.n_threads);
    command->add_option("--type-k", options.type_k);
    command->add_option("--type-v", options.type_v);
    command->add_option("--remote", arguments->remote);
    command->add_flag("--cache-bytes", arguments->cache_bytes);  // print what the context takes, as `kv plan` asks
}

}  // namespace ech0
