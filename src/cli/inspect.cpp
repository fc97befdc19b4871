#include <memory>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/progress.h"
#include "ech0/model.h"
#include "ech0/units.h"
#include "model/remote_model.h"
#include "report/inspect.h"
#include "store/stores.h"

namespace ech0 {
namespace {

struct InspectOptions {
    std::string model;
    bool tensors = false;
    bool json = false;
};

// A model on the hub that is not here is read as far as its anatomy goes.
Model read_here_or_there(const std::string& asked) {
    if (!asked.starts_with("hf:") || !meant_models(asked).empty()) return read_model(asked);
    ProgressLine line;
    const RemoteModel remote = read_remote_model(Hub::from_environment(), asked, line.callback());
    fmt::print(stderr, "ech0: read {} of {} over the network; the weights are not here\n",
               format_disk(remote.read_bytes), format_disk(remote.model.size_bytes));
    return remote.model;
}

int inspect(const InspectOptions& options) {
    const Model model = read_here_or_there(options.model);
    print(options.json ? json_text(inspect_json(model)) : inspect_text(model, options.tensors));
    return exit_yes;
}

}  // namespace

void add_inspect(CommandLine& line) {
    const auto options = std::make_shared<InspectOptions>();
    CLI::App* const command =
        add_command(line, "inspect", "what is in a model file: its shape, its weights by component and type",
                    "  ech0 inspect model.gguf                     the anatomy\n"
                    "  ech0 inspect model.gguf --tensors           every tensor too\n"
                    "  ech0 inspect hf:Qwen/Qwen3-8B-GGUF:Q4_K_M   of a model on the hub: only its head is fetched\n"
                    "  ech0 inspect demo --json | jq .n_params     one value, for a script",
                    [options] { return inspect(*options); });
    add_model(command, options->model);
    command->add_flag("--tensors", options->tensors, "list every tensor: name, type, shape, bytes");
    add_json(command, options->json);
}

}  // namespace ech0
