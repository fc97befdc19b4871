#include "prune/prune.h"

#include <map>
#include <memory>

#include "cli/calibration_options.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "report/prune.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model;
    CalibrationArguments text;
    PruneOptions options;
    bool no_repair = false, json = false;
};

int prune(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    ProgressLine progress;
    PruneOptions options = arguments.options;
    options.repair = !arguments.no_repair;
    options.text = calibration_text(model, arguments.text, options.n_threads, progress.callback());
    const Pruning pruning = prune(model, options, progress.callback());
    print(arguments.json ? json_text(prune_json(pruning)) : prune_text(pruning));
    return exit_yes;
}

}  // namespace

void add_prune(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "prune", "cut away heads and feed-forward channels where it hurts least, and repair the rest",
                    "  ech0 prune model-f16.gguf --remove 20% -o smaller.gguf\n"
                    "  ech0 prune model-f16.gguf --size 10GB -o smaller.gguf\n"
                    "  ech0 prune model-f16.gguf --remove 10% --no-repair -o cut.gguf     what the repair is worth",
                    [arguments] { return prune(*arguments); });
    PruneOptions& options = arguments->options;
    add_model(command, arguments->model);
    add_share(command, "--remove", options.remove_share, "share of the weights outside embedding and output: 20%");
    add_size(command, "--size", options.budget_bytes, "or the size of the file, its matrices in half precision: 10GB");
    command->add_option("-o,--output", options.out, "the file to write, of architecture deci")
        ->required()
        ->type_name("FILE");
    command->add_flag("--fine", options.fine,
                      "feed-forward channels in steps of 32, not of 256: closer, but rows that k-quants do not fit");
    command->add_flag("--no-repair", arguments->no_repair, "leave the matrices that stay as they were");
    const std::map<std::string, UnitScore> scores = {{"measured", UnitScore::measured},
                                                     {"magnitude", UnitScore::magnitude}};
    command->add_option("--score", options.score, "what decides which go: measured; magnitude, the usual baseline")
        ->transform(CLI::CheckedTransformer(scores))
        ->type_name("NAME");
    add_calibration(command, arguments->text);
    command->add_option("--tokens", options.n_tokens, "of the calibration text")->type_name("N")->capture_default_str();
    command->add_option("--ctx", options.n_ctx, "tokens per piece of text")->type_name("N")->capture_default_str();
    command->add_flag("--keep-work", options.keep_work, "leave the folder of intermediate results (OUTPUT.ech0-work)");
    add_threads(command, options.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
