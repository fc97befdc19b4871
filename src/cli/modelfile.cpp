#include "install/modelfile.h"

#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "fit/run_plan.h"
#include "machine/probe.h"
#include "report/json.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model, out, system;
    RunWish wish;
    bool json = false;
};

int modelfile(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    model.require_weights();
    const int64_t n_ctx =
        arguments.wish.n_ctx > 0 ? arguments.wish.n_ctx : plan_run(model, probe_memory(), arguments.wish).n_ctx;
    const std::string text = modelfile_text(model, {n_ctx, arguments.system, {}});
    if (!arguments.out.empty()) write_file(arguments.out, text);
    if (arguments.json)
        print(json_text({{"schema", "ech0.modelfile/1"},
                         {"model", model.files.front().string()},
                         {"output", arguments.out},
                         {"modelfile", text}}));
    else if (arguments.out.empty())
        print(text);
    else
        print(fmt::format("{}\nNext: ollama create NAME -f {}\n", printable(arguments.out, 4000),
                          printable(shell_word(arguments.out), 4000)));
    return exit_yes;
}

}  // namespace

void add_modelfile(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "modelfile", "a Modelfile, by which Ollama runs a model as ech0 does",
                    "  ech0 modelfile model.gguf                  on stdout\n"
                    "  ech0 modelfile model.gguf -o Modelfile     then: ollama create NAME -f Modelfile",
                    [arguments] { return modelfile(*arguments); });
    add_model(command, arguments->model);
    command->add_option("-o,--output", arguments->out, "file to write (default: stdout)")->type_name("FILE");
    command
        ->add_option("-c,--ctx,--ctx-size", arguments->wish.n_ctx,
                     "tokens of context (default: what fits, at most 4096)")
        ->type_name("N")
        ->check(CLI::Range(int64_t{2}, int64_t{1} << 24));
    command->add_option("--system,--system-prompt", arguments->system, "system prompt");
    add_json(command, arguments->json);
}

}  // namespace ech0
