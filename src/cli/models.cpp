#include <algorithm>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/nearest.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "ech0/error.h"
#include "ech0/model.h"
#include "ech0/units.h"
#include "report/models.h"
#include "store/huggingface.h"
#include "store/pull.h"
#include "store/stores.h"

namespace ech0 {
namespace {

struct ModelsOptions {
    std::string action = "list", name;
    bool json = false, dry_run = false;
};

ListedModel listed(StoredModel stored) {
    ListedModel model;
    model.stored = std::move(stored);
    if (!model.stored.problem.empty()) return model;
    try {
        const Model read = read_model(model.stored.name, model.stored.files);
        model.architecture = read.architecture;
        model.type = read.source_type;
        model.n_params = read.n_params;
    } catch (const Error& error) {
        model.stored.problem = error.what();
    }
    return model;
}

int list(const ModelsOptions& options) {
    if (!options.name.empty())
        throw UsageError(fmt::format("'{}' is one argument too many; see 'ech0 models -h'", printable(options.name)));
    std::vector<ListedModel> models;
    for (StoredModel& stored : stored_models()) models.push_back(listed(std::move(stored)));
    print(options.json ? json_text(models_json(models)) : models_text(models));
    return exit_yes;
}

// What a model of another program's is to be removed with.
std::string owners_way(const StoredModel& model) {
    if (model.store == "ollama") return fmt::format("Ollama owns it: 'ollama rm {}'", model.name.substr(7));
    if (model.store == "lmstudio") return "LM Studio owns it: remove it there, under My Models";
    if (model.store == "huggingface") return "it is in the Hugging Face cache: 'hf cache rm' removes it";
    if (model.store == "llama.cpp") return "it is in llama.cpp's cache: remove the file there";
    return "'make demo' put it there: remove the file";
}

Json pull_json(const HubModel& model, const Pulled& pulled, bool dry_run) {
    Json files = Json::array();
    for (const auto& file : pulled.files) files.push_back(file.string());
    return {{"schema", "ech0.models.pull/1"},
            {"name", model.name},
            {"size_bytes", pulled.size_bytes},
            {"present_bytes", pulled.present_bytes},
            {"fetched_bytes", dry_run ? 0 : pulled.size_bytes - pulled.present_bytes},
            {"files", files}};
}

std::string pull_text(const HubModel& model, const Pulled& pulled, bool dry_run) {
    const std::string name = printable(shell_word(model.name), 400);
    if (pulled.present_bytes == pulled.size_bytes)
        return fmt::format("{} is here already ({})\n", name, format_disk(pulled.size_bytes));
    const std::string before =
        pulled.present_bytes > 0 ? fmt::format(" ({} were here)", format_disk(pulled.present_bytes)) : "";
    if (dry_run)
        return fmt::format("would fetch {}, {}{}, to {}\n", name, format_disk(pulled.size_bytes), before,
                           printable(pulled.files[0].parent_path().string(), 400));
    return fmt::format(
        "{}: {}{}, SHA-256 as the hub lists it\nNext: ech0 inspect {}   ('ech0 models rm {}' removes it)\n", name,
        format_disk(pulled.size_bytes), before, name, name);
}

int fetch(const ModelsOptions& options) {
    if (options.name == "demo")
        throw UsageError("the demo model is not on the hub: 'make demo' in the source folder fetches it");
    const Hub hub = Hub::from_environment();
    ProgressLine line;
    const HubModel model = find_on_hub(hub, options.name);
    const Pulled pulled = options.dry_run ? plan_pull(model) : pull(hub, model, line.callback());
    print(options.json ? json_text(pull_json(model, pulled, options.dry_run))
                       : pull_text(model, pulled, options.dry_run));
    return exit_yes;
}

// A folder that holds nothing any more goes too, up to the store.
void remove_empty_folders(std::filesystem::path folder) {
    std::error_code failure;
    while (folder != pulled_folder() && std::filesystem::remove(folder, failure)) folder = folder.parent_path();
}

int remove(const ModelsOptions& options) {
    const StoredModel model = find_stored_model(options.name);
    if (model.files.empty() || !lies_in(model.files[0], pulled_folder())) {
        throw UsageError(
            fmt::format("ech0 did not fetch {}; {}", printable(model.name, 400), printable(owners_way(model), 400)));
    }
    for (const std::filesystem::path& file : options.dry_run ? decltype(model.files){} : model.files) {
        std::error_code failure;
        if (!std::filesystem::remove(file, failure))
            throw FileError(fmt::format("remove {}: {}", printable(file.string(), 400), failure.message()));
        remove_empty_folders(file.parent_path());
    }
    if (options.json) {
        Json files = Json::array();
        for (const auto& file : model.files) files.push_back(file.string());
        print(json_text({{"schema", "ech0.models.rm/1"},
                         {"name", model.name},
                         {"removed", !options.dry_run},
                         {"size_bytes", model.size_bytes},
                         {"files", files}}));
    } else {
        print(fmt::format("{} {}, {}; 'ech0 models pull {}' fetches it again\n",
                          options.dry_run ? "would remove" : "removed", printable(model.name, 400),
                          format_disk(model.size_bytes), printable(shell_word(model.name), 400)));
    }
    return exit_yes;
}

int models(const ModelsOptions& options) {
    const std::vector<std::string> actions = {"list", "pull", "rm"};
    if (options.action == "list") return list(options);
    if (std::find(actions.begin(), actions.end(), options.action) == actions.end()) {
        const std::string meant = nearest(options.action, actions);
        throw UsageError(fmt::format("no action '{}'; {}", printable(options.action),
                                     meant.empty() ? fmt::format("there are {}", fmt::join(actions, ", "))
                                                   : fmt::format("did you mean '{}'?", meant)));
    }
    if (options.name.empty())
        throw UsageError(fmt::format("{} of which model? see 'ech0 models' for their names", options.action));
    return options.action == "pull" ? fetch(options) : remove(options);
}

}  // namespace

void add_models(CommandLine& line) {
    const auto options = std::make_shared<ModelsOptions>();
    CLI::App* const command = add_command(
        line, "models", "the models on this machine, in whatever program's store they lie",
        "  ech0 models                                          every model, with the name to type for MODEL\n"
        "  ech0 models pull hf:Qwen/Qwen3-8B-GGUF:Q4_K_M         fetch one, checked by its SHA-256\n"
        "  ech0 models rm hf:ORG/REPO:FILE --dry-run            what removing it would remove",
        [options] { return models(*options); });
    command->add_option("ACTION", options->action, "list (the default), pull or rm");
    command->add_option("NAME", options->name,
                        "the model's name: hf:ORG/REPO[:FILE or type] to pull, as the list has it to rm");
    add_json(command, options->json);
    add_dry_run(command, options->dry_run);
}

}  // namespace ech0
