#pragma once

#include "calibrate/text.h"
#include "ech0/calibration.h"
#include "ech0/model.h"
#include "ech0/progress.h"

namespace ech0 {

struct CalibrateOptions {
    int64_t n_ctx = 512;   ///< tokens per piece of text
    int n_threads = 0;     ///< 0 = all cores
    int64_t n_tokens = 0;  ///< of the text, from all over it; 0 = all
};

/// Second moments of the same inputs, into a folder that compress can take instead of gathering them.
/// @throws UsageError if the folder has those of another model or text, or of more or less of it; FileError,
/// EngineError, Interrupted
Calibration calibrate_moments(const Model& model, const CalibrationText& text, const CalibrateOptions& options,
                              const std::filesystem::path& folder, const Progress& progress);

/// What enters each matrix of the model while it reads the whole text, one segment of the model in memory at a time.
/// @throws UsageError if the text is too short; EngineError, Interrupted
Calibration calibrate(const Model& model, const CalibrationText& text, const CalibrateOptions& options,
                      const Progress& progress);

}  // namespace ech0
