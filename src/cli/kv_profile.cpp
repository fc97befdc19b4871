#include <chrono>
#include <memory>

#include "cli/command_group.h"
#include "cli/kv.h"
#include "cli/progress.h"
#include "kv/kept_profile.h"
#include "report/kv_snapshot.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model;
    KvProfileOptions options;
    bool anew = false, json = false;
};

int kv_profile(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    model.require_weights();
    ProgressLine progress;
    const auto begin = std::chrono::steady_clock::now();
    const KeptProfile kept = kv_profile_of(model, arguments.options, arguments.anew, progress.callback());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    print(arguments.json ? json_text(kv_profile_json(model, kept, seconds)) : kv_profile_text(model, kept, seconds));
    return exit_yes;
}

}  // namespace

void add_kv_profile(CommandLine& line, CLI::App* kv) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, kv, "profile", "learn how a model's cache is distributed, which packing with loss needs",
        "  ech0 kv profile model.gguf          once for each model; pack --kl and --ratio make it themselves",
        [arguments] { return kv_profile(*arguments); });
    add_model(command, arguments->model);
    command->add_option("--ctx", arguments->options.n_ctx, "tokens of each piece of text")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(int64_t{128}, int64_t{1} << 20));
    command->add_option("--chunks", arguments->options.n_chunks, "pieces of text to learn from")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(int64_t{2}, int64_t{10000}));
    command->add_flag("--anew", arguments->anew,
                      "make it even if there is one: what was packed with it stays unreadable");
    add_threads(command, arguments->options.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
