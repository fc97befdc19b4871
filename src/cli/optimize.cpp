#include "optimize/optimize.h"

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/calibration_options.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "report/optimize.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model, text, report;
    CalibrationArguments calibration;
    OptimizeOptions options;
    double max_kl = 0;
    bool json = false;
};

// The command that would do the same again, with the defaults it used written out.
std::string command_of(const Arguments& arguments) {
    const OptimizeOptions& options = arguments.options;
    std::string command = "ech0 optimize " + shell_word(arguments.model);
    if (options.compress.budget_bytes > 0) command += fmt::format(" --size {}", options.compress.budget_bytes);
    if (options.compress.bits_per_weight > 0) command += fmt::format(" --bpw {}", options.compress.bits_per_weight);
    if (options.ratio > 0) command += fmt::format(" --ratio {}", options.ratio);
    command += fmt::format(" -o {} --effort {} --ctx {}", shell_word(options.compress.out.string()),
                           options.compress.effort, options.compress.n_ctx);
    for (const std::string& file : arguments.calibration.files) command += " --calibration " + shell_word(file);
    if (arguments.calibration.self_tokens > 0)
        command += fmt::format(" --self {} --seed {}", arguments.calibration.self_tokens, arguments.calibration.seed);
    if (!arguments.text.empty()) command += " --text " + shell_word(arguments.text);
    if (options.verify.n_chunks > 0) command += fmt::format(" --chunks {}", options.verify.n_chunks);
    if (options.verify.quick) command += " --quick";
    return command;
}

OptimizeOptions options_of(const Model& model, const Arguments& arguments, const Progress& progress) {
    OptimizeOptions options = arguments.options;
    options.compress.text = calibration_text(model, arguments.calibration, options.compress.n_threads, progress);
    options.verify.text = arguments.text;
    options.verify.n_ctx = options.compress.n_ctx;
    options.verify.n_threads = options.compress.n_threads;
    options.verify.seed = arguments.calibration.seed;
    options.verify.program = this_executable();
    options.command = command_of(arguments);
    return options;
}

int optimize(const Arguments& arguments) {
    check(arguments.options);
    std::optional<AtomicFile> report;  // opened now: a page that can't be written should not cost the work first
    if (!arguments.report.empty()) report.emplace(arguments.report);
    const Model model = read_model(arguments.model);
    ProgressLine progress;
    const Optimization result = optimize(model, options_of(model, arguments, progress.callback()), progress.callback());
    if (report) {
        report->write(optimize_markdown(result));
        report->commit();
    }
    print(arguments.json ? json_text(optimize_json(result)) : optimize_text(result));
    return arguments.max_kl <= 0 || result.evidence.candidates.front().kl_divergence.mean <= arguments.max_kl ? exit_yes
                                                                                                              : exit_no;
}

}  // namespace

void add_optimize(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "optimize", "the whole chain: compress a model to a size, and prove what the result is worth",
        "  ech0 optimize model-f16.gguf --size 4.5GB -o small.gguf\n"
        "  ech0 optimize model.gguf --ratio 60% -o small.gguf --report small.md      and a page about it\n"
        "  ech0 optimize model.gguf --bpw 4.5 -o small.gguf --max-kl 0.05            exit status 1 if it is worse",
        [arguments] { return optimize(*arguments); });
    CompressOptions& compress = arguments->options.compress;
    add_model(command, arguments->model);
    add_size(command, "--size", compress.budget_bytes, "size of the whole file, never exceeded: 4.5GB, 4GiB");
    add_bits(command, "--bpw", compress.bits_per_weight, "or bits per weight of its tensors: 3.5");
    add_share(command, "--ratio", arguments->options.ratio, "or a share of the original's size: 60%, 0.6");
    command->add_option("-o,--output", compress.out, "the file to write")->required()->type_name("FILE");
    command->add_option("--report", arguments->report, "write a page about it too, in Markdown")->type_name("FILE");
    add_calibration(command, arguments->calibration);
    command->add_option("--text", arguments->text, "text file to judge by (default: ech0's own)")->type_name("FILE");
    command->add_option("--effort", compress.effort, "1 (quick) to 5 (all night)")
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--ctx", compress.n_ctx, "tokens per piece of text")->type_name("N")->capture_default_str();
    command
        ->add_option("--chunks", arguments->options.verify.n_chunks,
                     "judge by at most so many pieces of it (default: all)")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    command->add_flag("--quick", arguments->options.verify.quick, "verify without retrieval, speed and memory");
    command->add_option("--max-kl", arguments->max_kl, "exit with 1 if the mean KL divergence is larger")
        ->type_name("NATS")
        ->check(CLI::PositiveNumber);
    command->add_flag("--fresh", compress.fresh, "start over instead of resuming a run that was stopped");
    add_memory(command, compress.memory_bytes);
    add_threads(command, compress.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
