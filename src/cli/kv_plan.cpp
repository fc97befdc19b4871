#include "kv/plan.h"

#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/private_memory.h"
#include "base/process.h"
#include "calibrate/text.h"
#include "cli/command_group.h"
#include "cli/kv.h"
#include "cli/progress.h"
#include "cli/terminal_look.h"
#include "machine/probe.h"
#include "plan/kept_kv_plan.h"
#include "report/kv_plan.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model, text;
    KvPlanOptions options;
    bool all = false, quick = false, json = false;
};

/// Cache types are chosen as a file's types are: on the text for calibration, not on the one that proves.
EvaluationText text_of(const std::string& file) {
    if (!file.empty()) return load_evaluation_text(file);
    const CalibrationText text = embedded_calibration_text();
    return {text.name, text.sha256, text.text};
}

int kv_plan(const Arguments& arguments) {
    settle_private_memory();
    KvPlanOptions options = arguments.options;
    const Model model = read_model(arguments.model);
    // What a GPU holds is not seen from outside.
    options.on_cpu = probe_memory().backend == "CPU";
    if (!arguments.quick && options.on_cpu) options.program = this_executable();
    KvPlan plan;
    {
        ProgressLine progress;
        plan = make_kv_plan(model, text_of(arguments.text), options, progress.callback());
    }
    keep(plan);
    print(arguments.json ? json_text(kv_plan_json(plan)) : kv_plan_text(plan, arguments.all, terminal_look()));
    return plan.chosen ? exit_yes : exit_no;
}

}  // namespace

void add_kv_plan(CommandLine& line, CLI::App* kv) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, kv, "plan", "which types the KV cache may have: memory, and what each pair loses on this model",
        "  ech0 kv plan model.gguf --ctx 4096                       fit, chat and serve go by it afterwards\n"
        "  ech0 kv plan model.gguf --ctx 8192 --text my.txt --all   on your text; every pair\n"
        "  ech0 kv plan model.gguf --k q8_0 --v q8_0,q4_0 --quick   fewer types, no memory measured",
        [arguments] { return kv_plan(*arguments); });
    KvPlanOptions& options = arguments->options;
    add_model(command, arguments->model);
    command->add_option("--ctx", options.n_ctx, "tokens of context")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(int64_t{128}, int64_t{1} << 24));
    command
        ->add_option("--depths", options.depths,
                     "where in the context to judge (default: a quarter, a half, the whole)")
        ->type_name("N,…")
        ->delimiter(',');
    const auto add_types = [&](const char* name, std::vector<std::string>& types, const char* help) {
        command->add_option(name, types, help)->type_name("TYPE,…")->delimiter(',');
    };
    add_types("--k", options.types_k, "types of keys to consider (default: f16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl)");
    add_types("--v", options.types_v, "types of values to consider (default: the same)");
    command->add_option("--max-kl", options.most_kl, "what the cache may lose at any depth, nats per token")
        ->type_name("NATS")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    command->add_option("--text", arguments->text, "text file to judge by (default: ech0's own, for calibration)")
        ->type_name("FILE");
    command->add_option("--texts", options.n_texts, "stretches of the text, at most")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    command
        ->add_option("--judge", options.n_scored, "tokens to judge at each depth (default: 128, or an eighth of --ctx)")
        ->type_name("N")
        ->check(CLI::Range(16, 512));
    command->add_flag("--all", arguments->all, "every pair, not only those worth taking");
    command->add_flag("--quick", arguments->quick, "don't measure memory, which runs each pair once more");
    add_threads(command, options.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
