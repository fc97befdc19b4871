#pragma once

#include <string>
#include <vector>

#include "calibrate/text.h"
#include "cli/common.h"
#include "ech0/model.h"
#include "ech0/progress.h"

namespace ech0 {

/// What a person may say about the calibration text; the same for calibrate, compress and optimize.
struct CalibrationArguments {
    std::vector<std::string> files;
    int64_t self_tokens = 0;
    uint64_t seed = 1;
};

void add_calibration(CLI::App* command, CalibrationArguments& arguments);

/// The text that the arguments mean.
CalibrationText calibration_text(const Model& model, const CalibrationArguments& arguments, int n_threads,
                                 const Progress& progress);

}  // namespace ech0
