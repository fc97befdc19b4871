#include "calibrate/calibrate.h"

#include <fmt/format.h>

#include <memory>

#include "base/process.h"
#include "cli/calibration_options.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "ech0/error.h"
#include "report/json.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model;
    CalibrationArguments text;
    std::string output, imatrix;
    bool print_text = false, json = false;
    int64_t n_ctx = 512;
    int n_threads = 0;
};

Json calibrate_json(const Calibration& calibration, const std::string& output) {
    return {{"schema", "ech0.calibrate/1"},
            {"source_sha256", calibration.source_sha256},
            {"text", {{"name", calibration.text_name}, {"sha256", calibration.text_sha256}}},
            {"n_tokens", calibration.n_tokens},
            {"n_ctx", calibration.n_ctx},
            {"n_tensors", calibration.tensors.size()},
            {"output", output},
            {"peak_memory_bytes", peak_memory_bytes()}};
}

int calibrate(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    ProgressLine progress;
    const CalibrationText text = calibration_text(model, arguments.text, arguments.n_threads, progress.callback());
    if (arguments.print_text) {
        print(text.text);
        return exit_yes;
    }
    const std::string output = arguments.output.empty() ? arguments.imatrix : arguments.output;
    if (output.empty()) throw UsageError("where to? give -o FILE or --imatrix FILE (or --print-text to see the text)");
    const Calibration calibration = calibrate(model, text, {arguments.n_ctx, arguments.n_threads}, progress.callback());
    if (!arguments.output.empty()) write_imatrix(calibration, arguments.output);
    if (!arguments.imatrix.empty()) write_imatrix(calibration, arguments.imatrix);
    print(arguments.json ? json_text(calibrate_json(calibration, output))
                         : fmt::format("{}: inputs of {} matrices on {} tokens of {}\nNext: ech0 compress {} --imatrix "
                                       "{} --size SIZE -o OUT.gguf\n",
                                       output, calibration.tensors.size(), calibration.n_tokens, calibration.text_name,
                                       arguments.model, output));
    return exit_yes;
}

}  // namespace

void add_calibrate(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "calibrate", "what enters each matrix of a model on real text: an importance matrix",
                    "  ech0 calibrate model.gguf -o statistics.gguf\n"
                    "  ech0 calibrate model.gguf --imatrix imatrix.gguf        for llama-quantize --imatrix\n"
                    "  ech0 calibrate model.gguf --print-text > text.txt       the text it would use",
                    [arguments] { return calibrate(*arguments); });
    add_model(command, arguments->model);
    command->add_option("-o,--output", arguments->output, "write the statistics here (llama-quantize reads them too)");
    command->add_option("--imatrix", arguments->imatrix, "the same, under llama.cpp's name for it");
    command->add_flag("--print-text", arguments->print_text, "print the text and do nothing else");
    command->add_option("--ctx", arguments->n_ctx, "tokens per piece of text")->capture_default_str();
    add_calibration(command, arguments->text);
    add_threads(command, arguments->n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
