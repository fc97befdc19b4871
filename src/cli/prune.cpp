#include "prune/prune.h"

#include <charconv>
#include <map>
#include <memory>

#include "base/text.h"

#include "cli/calibration_options.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "ech0/error.h"
#include "report/prune.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model;
    CalibrationArguments text;
    PruneOptions options;
    std::vector<std::string> untouched;
    bool json = false;
};

/// "0-3", "29": layers that stay.
void add_layers(const std::string& text, std::set<int64_t>& layers) {
    int64_t first = 0, last = 0;
    const char* const end = text.data() + text.size();
    auto [at, error] = std::from_chars(text.data(), end, first);
    last = first;
    if (error == std::errc() && at != end && *at == '-') {
        const auto rest = std::from_chars(at + 1, end, last);
        at = rest.ptr, error = rest.ec;
    }
    if (error != std::errc() || at != end || first < 0 || last < first || last > 100'000)
        throw UsageError("--keep-layers: '" + printable(text) + "' is no layer and no range of layers: 0-3,29");
    for (int64_t i = first; i <= last; i++) layers.insert(i);
}

int prune(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    ProgressLine progress;
    PruneOptions options = arguments.options;
    for (const std::string& text : arguments.untouched) add_layers(text, options.untouched);
    options.text = calibration_text(model, arguments.text, options.n_threads, progress.callback());
    const Pruning pruning = prune(model, options, progress.callback());
    print(arguments.json ? json_text(prune_json(pruning)) : prune_text(pruning));
    return exit_yes;
}

}  // namespace

void add_prune(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "prune", "cut away layers, heads and feed-forward channels where it hurts least; repair the rest",
        "  ech0 prune model-f16.gguf --remove 20% -o smaller.gguf\n"
        "  ech0 prune model-f16.gguf --size 10GB -o smaller.gguf\n"
        "  ech0 prune model-f16.gguf --heads 2B --ffn 3B --layers 1.5B -o smaller.gguf     kind by kind\n"
        "  ech0 prune model-f16.gguf --remove 10% --repair off -o cut.gguf       what the repair is worth",
        [arguments] { return prune(*arguments); });
    PruneOptions& options = arguments->options;
    add_model(command, arguments->model);
    add_amount(command, "--remove", options.remove, "of the weights outside embedding and output: 20%, 300M");
    add_size(command, "--size", options.budget_bytes, "or the size of the file, its matrices in half precision: 10GB");
    command->add_option("--max-kl", options.most_kl, "or as much as costs no more KL divergence, measured: 0.001")
        ->type_name("NATS")
        ->check(CLI::PositiveNumber);
    add_amount(command, "--heads", options.kv_heads, "or kind by kind: KV heads with their query heads: 12, 2B, 20%");
    add_amount(command, "--ffn", options.channels, "feed-forward channels: 4096, 3B, 20%");
    add_amount(command, "--layers", options.whole_layers, "whole layers: 3, 1.5B, 10%");
    add_amount(command, "--experts", options.experts, "of a mixture: experts of every layer: 8, 2B, 25%");
    command->add_option("--keep-layers", arguments->untouched, "layers that stay as they are: 0-3,29")
        ->delimiter(',')
        ->type_name("LIST");
    command
        ->add_option("-o,--output", options.out,
                     "the file to write, of architecture llama or deci (a mixture keeps its own)")
        ->required()
        ->type_name("FILE");
    command->add_flag("--fine", options.fine,
                      "feed-forward channels in steps of 32, not of 256: closer, but rows that k-quants do not fit");
    const std::map<std::string, Repair> repairs = {
        {"off", Repair::off}, {"bias", Repair::bias}, {"full", Repair::full}};
    command
        ->add_option("--repair", options.repair, "fit what stays to the original's output: off, bias, full (default)")
        ->transform(CLI::CheckedTransformer(repairs))
        ->type_name("NAME");
    const std::map<std::string, UnitScore> scores = {
        {"measured", UnitScore::measured}, {"magnitude", UnitScore::magnitude}, {"flap", UnitScore::flap}};
    command
        ->add_option("--score", options.score,
                     "what decides which go: measured (default); magnitude and flap, for comparison")
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
