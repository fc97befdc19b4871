#include "cli/decision_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace ech0 {

CLI::Option* add_models(CLI::App* command, std::vector<std::string>& models) {
    return command
        ->add_option("MODEL", models,
                     "a .gguf file, 'demo', a published model without its weights (qwen2.5:32b), or one on the hub "
                     "(hf:ORG/REPO)")
        ->required();
}

void add_decision(CLI::App* command, DecisionArguments& arguments) {
    FitConditions& conditions = arguments.conditions;
    command->add_option("--machine", arguments.machine, "a described machine: ech0 doctor --profiles lists them")
        ->type_name("NAME")
        ->capture_default_str();
    add_size(command, "--memory", arguments.memory_bytes, "what the model may take, instead of what the machine gives");
    add_size(command, "--bandwidth", arguments.read_bytes_per_s, "what its memory reads in a second: 120GB");
    command->add_option("--ctx", conditions.n_ctx, "tokens of context")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(int64_t{64}, int64_t{1} << 24));
    command
        ->add_option("--kv", conditions.kv_types,
                     "types of the KV cache to consider, q8_0, or of keys and values, q8_0/q5_1 (default: f16, q8_0, "
                     "and what 'ech0 "
                     "kv plan' chose)")
        ->type_name("TYPE")
        ->delimiter(',');
    command->add_option("--prefer", arguments.prefer, "quality, balanced or speed")
        ->type_name("WHAT")
        ->capture_default_str()
        ->check(CLI::IsMember({"quality", "balanced", "speed"}));
    command->add_option("--min-tps", conditions.min_tokens_per_s, "refuse what is slower, in tokens per second")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
}

FitConditions conditions_of(const DecisionArguments& arguments) {
    FitConditions conditions = arguments.conditions;
    conditions.prefer = prefer_by_name(arguments.prefer);
    conditions.machine = with_overrides(find_machine(arguments.machine), arguments.memory_bytes,
                                        static_cast<double>(arguments.read_bytes_per_s));
    return conditions;
}

std::string words_of(const DecisionArguments& arguments) {
    const DecisionArguments usual;
    const FitConditions &c = arguments.conditions, &u = usual.conditions;
    std::string words;
    if (arguments.machine != usual.machine) words += " --machine " + shell_word(arguments.machine);
    if (arguments.memory_bytes > 0) words += fmt::format(" --memory {}", arguments.memory_bytes);
    if (arguments.read_bytes_per_s > 0) words += fmt::format(" --bandwidth {}", arguments.read_bytes_per_s);
    if (c.n_ctx != u.n_ctx) words += fmt::format(" --ctx {}", c.n_ctx);
    if (c.kv_types != u.kv_types) words += " --kv " + shell_word(fmt::format("{}", fmt::join(c.kv_types, ",")));
    if (arguments.prefer != usual.prefer) words += " --prefer " + arguments.prefer;
    if (c.min_tokens_per_s > 0) words += fmt::format(" --min-tps {}", c.min_tokens_per_s);
    return words;
}

}  // namespace ech0
