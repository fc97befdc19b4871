#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/setup_voice.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "fit/run_plan.h"
#include "install/journal.h"
#include "install/modelfile.h"
#include "install/ollama_copy.h"
#include "install/settings.h"
#include "install/shell_rc.h"
#include "machine/probe.h"
#include "report/change.h"
#include "store/stores.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model;
    RunWish wish;
    std::optional<std::string> system, host, keep_alive;
    std::optional<int64_t> port;
    std::string shell;
    bool no_ollama = false, voice = false, dry_run = false, json = false;
};

void warn(std::string_view text) { fmt::print(stderr, "ech0: {}\n", printable(text, 4000)); }

// A name of a store stays a name; a file is found again from any folder.
std::string lasting_name(const std::string& asked) {
    if (asked == "demo" || is_store_name(asked)) return asked;
    return std::filesystem::absolute(asked).lexically_normal().string();
}

void choose_model(Config& config, const Model& model, const RunWish& wish) {
    model.require_weights();
    const RunPlan plan = plan_run(model, probe_memory(), wish);
    config.model = lasting_name(model.asked);
    config.n_ctx = plan.n_ctx;
    config.kv_type = plan.kv_type;
    if (!plan.kv_why.empty()) warn(plan.kv_why);
    if (!plan.fits)
        warn(fmt::format("{} needs {} with {} tokens of context, and {} are free: it will be slow; see 'ech0 fit {}'",
                         printable(model.asked), format_memory(plan.memory.total_bytes()), format_count(plan.n_ctx),
                         format_memory(plan.budget_bytes), shell_word(model.asked)));
}

int setup(const Arguments& arguments) {
    if (arguments.voice) return setup_voice(arguments.dry_run, arguments.json);
    Config config = read_config();
    std::string command = "ech0 setup";
    if (!arguments.model.empty()) {
        choose_model(config, read_model(arguments.model), arguments.wish);
        command += " " + shell_word(arguments.model);
    } else {
        if (arguments.wish.n_ctx > 0) config.n_ctx = arguments.wish.n_ctx;
        if (!arguments.wish.kv_type.empty()) config.kv_type = arguments.wish.kv_type;
    }
    config.system = arguments.system.value_or(config.system);
    config.host = arguments.host.value_or(config.host);
    config.port = arguments.port.value_or(config.port);
    config.keep_alive = arguments.keep_alive.value_or(config.keep_alive);
    const std::string shell = arguments.shell == "auto" ? login_shell() : arguments.shell;
    const Change change = settings_change(command, config, {true, shell});
    const bool changed = arguments.dry_run || apply(change);
    print(arguments.json ? json_text(change_json(change, {}, arguments.dry_run))
                         : change_text(change, {}, arguments.dry_run));
    if (changed && !arguments.dry_run && !arguments.json)
        print("Next: ech0 chat   ('ech0 undo' takes this back; '. ~/.ech0_production_config' sets the variables)\n");
    return exit_yes;
}

/// The Ollama side of `use`: what is there before, and the copy.
struct OllamaSide {
    std::optional<std::filesystem::path> program;
    OllamaOutcome outcome;
    bool is_new = false;  // undo is to remove it

    OllamaSide(const Model& model, bool wanted) {
        if (!wanted || model.asked.starts_with("ollama:")) return;
        program = find_ollama();
        if (!program) return;
        outcome.model = ollama_name(model);
        try {
            is_new = !ollama_has(*program, outcome.model);
        } catch (const EngineError& error) {
            outcome.problem = error.what();
        }
    }

    void create(const std::string& modelfile) {
        if (!program || !outcome.problem.empty()) return;
        try {
            ollama_create(*program, outcome.model, modelfile);
        } catch (const EngineError& error) {
            outcome.problem = error.what();
        }
    }
};

int use(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    Config config = read_config();
    choose_model(config, model, arguments.wish);
    Change change = settings_change("ech0 use " + shell_word(arguments.model), config, {false, ""});
    OllamaSide ollama(model, !arguments.no_ollama);
    if (!arguments.dry_run) {
        if (ollama.is_new) change.ollama_model = ollama.outcome.model;
        apply(change);
        ollama.create(modelfile_text(model, {config.n_ctx, config.system, {}}));
    }
    if (!ollama.outcome.problem.empty()) warn(ollama.outcome.problem);
    print(arguments.json ? json_text(change_json(change, ollama.outcome, arguments.dry_run))
                         : change_text(change, ollama.outcome, arguments.dry_run));
    return exit_yes;
}

// The change, the other way round: what undoing it writes.
Change reversed(Change change) {
    for (FileEdit& edit : change.edits) std::swap(edit.before, edit.after);
    change.command = "undo of '" + change.command + "'";
    return change;
}

int undo(const Arguments& arguments) {
    const std::optional<Change> last = last_change();
    if (!last) {
        print(arguments.json ? json_text(change_json({"", {}, ""}, {}, arguments.dry_run)) : "nothing to undo\n");
        return exit_no;
    }
    OllamaOutcome ollama{last->ollama_model, ""};
    if (!arguments.dry_run) {
        undo_last_change();
        try {
            const std::optional<std::filesystem::path> program = ollama.model.empty() ? std::nullopt : find_ollama();
            if (program) ollama_remove(*program, ollama.model);
        } catch (const EngineError& error) {
            ollama.problem = fmt::format("{}; then 'ollama rm {}' removes it", error.what(), ollama.model);
            warn(ollama.problem);
        }
    }
    const Change back = reversed(*last);
    print(arguments.json ? json_text(change_json(back, ollama, arguments.dry_run))
                         : back.command + ":\n" + change_text(back, ollama, arguments.dry_run));
    return exit_yes;
}

void add_wish(CLI::App* command, RunWish& wish) {
    command->add_option("-c,--ctx,--ctx-size", wish.n_ctx, "tokens of context (default: what fits, at most 4096)")
        ->type_name("N")
        ->check(CLI::Range(int64_t{2}, int64_t{1} << 24));
    command
        ->add_option(
            "--kv", wish.kv_type,
            "type of the KV cache, q8_0, or of keys and values, q8_0/q5_1 (default: f16, or what 'ech0 kv plan' found "
            "close enough, or q8_0, where only that fits)")
        ->type_name("TYPE");
}

}  // namespace

void add_setup(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "setup", "write the settings: config.toml, and a file of variables to source",
                    "  ech0 setup demo                          settings for the demo model\n"
                    "  ech0 setup model.gguf --ctx 8192 --kv q8_0\n"
                    "  ech0 setup --shell-rc auto               let every new shell read the variables\n"
                    "  ech0 setup model.gguf --dry-run          the diff, and nothing written\n"
                    "  ech0 setup --voice                       what 'ech0 talk' needs, fetched and checked",
                    [arguments] { return setup(*arguments); });
    command->add_option("MODEL", arguments->model, "the model that chat, talk and serve take (default: as it is)");
    add_wish(command, arguments->wish);
    command->add_option("--system,--system-prompt", arguments->system, "system prompt of chat");
    command->add_option("--host", arguments->host, "address that serve listens on")->type_name("ADDRESS");
    command->add_option("--port", arguments->port, "port that serve listens on")
        ->type_name("N")
        ->check(CLI::Range(1, 65535));
    command->add_option("--keep-alive", arguments->keep_alive, "how long Ollama keeps a model loaded")
        ->type_name("TIME");
    command
        ->add_option("--shell-rc", arguments->shell,
                     "put a marked block that reads the variables into this shell's start file: bash, zsh, fish, auto")
        ->type_name("SHELL");
    command->add_flag("--voice", arguments->voice,
                      "fetch what 'ech0 talk' needs (230 MB: speech to text, a voice), sizes and licences first");
    add_dry_run(command, arguments->dry_run);
    add_json(command, arguments->json);
}

void add_use(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "use", "switch to a model, for chat, talk, serve, the settings and Ollama",
                    "  ech0 use model.gguf               from now on 'ech0 chat' talks to it\n"
                    "  ech0 use hf:ORG/REPO --no-ollama  without a copy in Ollama's store\n"
                    "  ech0 undo                         back to the model before",
                    [arguments] { return use(*arguments); });
    add_model(command, arguments->model);
    add_wish(command, arguments->wish);
    command->add_flag("--no-ollama", arguments->no_ollama, "leave Ollama alone, though it is installed");
    add_dry_run(command, arguments->dry_run);
    add_json(command, arguments->json);
}

void add_undo(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(line, "undo", "take back the last change that setup or use made",
                                          "  ech0 undo             the files as they were before\n"
                                          "  ech0 undo --dry-run   what that would change",
                                          [arguments] { return undo(*arguments); });
    add_dry_run(command, arguments->dry_run);
    add_json(command, arguments->json);
}

}  // namespace ech0
