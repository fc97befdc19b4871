#include <algorithm>
#include <memory>

#include "cli/command_group.h"
#include "cli/kv.h"
#include "cli/progress.h"
#include "cli/terminal_look.h"
#include "kv/keep.h"
#include "kv/kept_forgetting.h"
#include "kv/kept_profile.h"
#include "report/kv_keep.h"
#include "verify/evaluation_text.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model, text;
    KeepMeasureOptions options;
    bool json = false;
};

int kv_keep(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    model.require_weights();
    KeepMeasureOptions options = arguments.options;
    if (options.n_keep.empty()) options.n_keep = {options.n_ctx / 2, options.n_ctx * 3 / 4};
    for (const int64_t n : options.n_keep)
        if (n < 16 || n >= options.n_ctx)
            throw UsageError("--keep " + std::to_string(n) + ": wanted 16 to less than --ctx");
    ProgressLine progress;
    KvProfileOptions profile_options;
    profile_options.n_threads = options.n_threads;
    const KeptProfile kept = kv_profile_of(model, profile_options, false, progress.callback());
    const KeepReport report = measure_keeping(model, kept.profile, load_evaluation_text(arguments.text).content,
                                              options, progress.callback());
    keep(report, model);
    print(arguments.json ? json_text(kv_keep_json(report)) : kv_keep_text(report, terminal_look()));
    return std::any_of(report.results.begin(), report.results.end(), [](const KeepResult& r) { return r.holds; })
               ? exit_yes
               : exit_no;
}

}  // namespace

void add_kv_keep(CommandLine& line, CLI::App* kv) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, kv, "keep", "may a long context forget tokens? what that costs this model, in divergence and in facts",
        "  ech0 kv keep model.gguf --ctx 2048                        half and three quarters of it\n"
        "  ech0 kv keep model.gguf --ctx 4096 --keep 1024,2048,3072  ends with 1 if none of these holds",
        [arguments] { return kv_keep(*arguments); });
    KeepMeasureOptions& options = arguments->options;
    add_model(command, arguments->model);
    command->add_option("--ctx", options.n_ctx, "tokens that are read")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(int64_t{512}, int64_t{1} << 20));
    command->add_option("--keep", options.n_keep, "tokens that stay (default: half, three quarters)")
        ->type_name("N,…")
        ->delimiter(',');
    command->add_option("--text", arguments->text, "text file to judge by (default: ech0's own)")->type_name("FILE");
    command->add_option("--texts", options.n_texts, "stretches of the text, at most")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    command->add_option("--rounds", options.n_rounds, "times --ctx are read through such a context before judging")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    command->add_option("--trials", options.n_trials, "contexts with five facts each to ask for")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    add_threads(command, options.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
