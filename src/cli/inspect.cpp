#include <memory>

#include "cli/anatomy.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/terminal_look.h"
#include "report/file_check.h"
#include "report/inspect.h"

namespace ech0 {
namespace {

struct InspectOptions {
    std::string model;
    bool tensors = false;
    bool check = false;
    int n_threads = 0;
    bool json = false;
};

int check(const InspectOptions& options) {
    const Model model = read_model(options.model);
    ProgressLine progress;
    const std::vector<FilePoint> points = check_file(model, options.n_threads, progress.callback());
    print(options.json ? json_text(file_check_json(model, points)) : file_check_text(model, points, terminal_look()));
    return soundness_of(points) == Soundness::broken ? exit_no : exit_yes;
}

int inspect(const InspectOptions& options) {
    if (options.check) return check(options);
    const Model model = read_anatomy(options.model);
    print(options.json ? json_text(inspect_json(model)) : inspect_text(model, options.tensors));
    return exit_yes;
}

}  // namespace

void add_inspect(CommandLine& line) {
    const auto options = std::make_shared<InspectOptions>();
    CLI::App* const command = add_command(
        line, "inspect", "what is in a model file: its shape, its weights by component and type",
        "  ech0 inspect model.gguf                     the anatomy\n"
        "  ech0 inspect model.gguf --tensors           every tensor too\n"
        "  ech0 inspect hf:Qwen/Qwen3-8B-GGUF:Q4_K_M   of a model on the hub: only its head is fetched\n"
        "  ech0 inspect model.gguf --check             is it sound? every weight is read, the engine runs it\n"
        "  ech0 inspect demo --json | jq .n_params     one value, for a script",
        [options] { return inspect(*options); });
    add_model(command, options->model);
    command->add_flag("--tensors", options->tensors, "list every tensor: name, type, shape, bytes");
    command->add_flag("--check", options->check,
                      "read every weight, try tokenizer, template and engine; ends with 1 if the file is broken");
    add_threads(command, options->n_threads);
    add_json(command, options->json);
}

}  // namespace ech0
