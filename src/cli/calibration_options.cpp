#include "cli/calibration_options.h"

#include "calibrate/self_text.h"
#include "model/model_hash.h"

namespace ech0 {

void add_calibration(CLI::App* command, CalibrationArguments& arguments) {
    command->add_option("--calibration", arguments.files,
                        "text files to gather statistics on (default: ech0's own text)");
    command
        ->add_option("--self", arguments.self_tokens,
                     "also on N tokens that the model writes itself (4096 if no number is given)")
        ->expected(0, 1)
        ->default_str("")
        ->each([&arguments](const std::string& value) {
            if (value.empty()) arguments.self_tokens = 4096;
        });
    add_seed(command, arguments.seed);
}

CalibrationText calibration_text(const Model& model, const CalibrationArguments& arguments, int n_threads,
                                 const Progress& progress) {
    const std::vector<std::filesystem::path> files(arguments.files.begin(), arguments.files.end());
    CalibrationText text = files.empty() ? embedded_calibration_text() : read_calibration_text(files);
    if (arguments.self_tokens <= 0) return text;
    return with_self_text(model, sha256_of_model(model), std::move(text),
                          {arguments.self_tokens, arguments.seed, n_threads}, progress);
}

}  // namespace ech0
