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
    std::string output, imatrix, moments;
    bool print_text = false, json = false;
    CalibrateOptions options;
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

std::string moments_text(const Calibration& of, const Arguments& arguments) {
    return fmt::format(
        "{}: second moments of the inputs of {} matrices on {} tokens of {}\nNext: ech0 compress {} "
        "--moments {} --size SIZE -o OUT.gguf\n",
        arguments.moments, of.tensors.size(), of.n_tokens, of.text_name, arguments.model, arguments.moments);
}

int calibrate(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    ProgressLine progress;
    const CalibrationText text =
        calibration_text(model, arguments.text, arguments.options.n_threads, progress.callback());
    if (arguments.print_text) {
        print(text.text);
        return exit_yes;
    }
    if (!arguments.moments.empty()) {
        const Calibration of =
            calibrate_moments(model, text, arguments.options, arguments.moments, progress.callback());
        print(arguments.json ? json_text(calibrate_json(of, arguments.moments)) : moments_text(of, arguments));
        return exit_yes;
    }
    const std::string output = arguments.output.empty() ? arguments.imatrix : arguments.output;
    if (output.empty())
        throw UsageError(
            "where to? give -o FILE, --imatrix FILE or --moments FOLDER (or --print-text to see the text)");
    const Calibration calibration = calibrate(model, text, arguments.options, progress.callback());
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
    command->add_option("--moments", arguments->moments,
                        "second moments of the same inputs into this folder, for any number of runs of compress");
    command->add_option("--tokens", arguments->options.n_tokens,
                        "with --moments: so much of the text, from all over it");
    command->add_flag("--print-text", arguments->print_text, "print the text and do nothing else");
    command->add_option("--ctx", arguments->options.n_ctx, "tokens per piece of text")->capture_default_str();
    add_calibration(command, arguments->text);
    add_threads(command, arguments->options.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
