#include <memory>

#include <fmt/format.h>

#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "optimize/comparison.h"
#include "optimize/optimize.h"
#include "report/demo.h"

namespace ech0 {
namespace {

// Something to explain, so that two answers can differ, and short enough for a small model to get right.
constexpr const char* question = "Why do we see lightning before we hear thunder?";
constexpr int64_t answer_tokens = 80;

// Enough of the evaluation text for an interval that means something, in a third of the time that all of it takes.
constexpr int64_t n_chunks = 16;

struct Arguments {
    std::filesystem::path out;
    double ratio = 0.6;
    int effort = 1;
    int n_threads = 0;
    bool json = false;
};

OptimizeOptions options_of(const Arguments& arguments) {
    OptimizeOptions options;
    options.ratio = arguments.ratio;
    options.compress.out =
        arguments.out.empty() ? cache_folder() / "demo" / "smollm2-135m-smaller.gguf" : arguments.out;
    options.compress.text = embedded_calibration_text();
    options.compress.effort = arguments.effort;
    options.compress.n_threads = options.verify.n_threads = arguments.n_threads;
    options.verify.n_chunks = n_chunks;
    options.verify.program = this_executable();
    options.command = fmt::format("ech0 optimize demo --ratio {} -o {} --effort {} --chunks {}", arguments.ratio,
                                  shell_word(options.compress.out.string()), arguments.effort, n_chunks);
    return options;
}

int demo(const Arguments& arguments) {
    const Model model = read_model("demo");
    const OptimizeOptions options = options_of(arguments);
    if (arguments.out.empty()) std::filesystem::create_directories(options.compress.out.parent_path());
    ProgressLine progress;
    const Optimization result = optimize(model, options, progress.callback());
    const Comparison comparison =
        compare_answers(model, read_model(result.artifact.path), question, answer_tokens, arguments.n_threads);
    print(arguments.json ? json_text(demo_json(result, comparison)) : demo_text(result, comparison));
    return exit_yes;
}

}  // namespace

void add_demo(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "demo", "the whole chain on a small real model, in a few minutes",
                    "  ech0 demo                          to 60 % of its size, kept in the cache folder\n"
                    "  ech0 demo --ratio 50% -o half.gguf",
                    [arguments] { return demo(*arguments); });
    add_share(command, "--ratio", arguments->ratio, "how small, as a share of the original's size")->default_str("0.6");
    command->add_option("-o,--output", arguments->out, "the file to write (default: in the cache folder)")
        ->type_name("FILE");
    command->add_option("--effort", arguments->effort, "1 (quick) to 5 (all night)")
        ->type_name("N")
        ->capture_default_str();
    add_threads(command, arguments->n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
