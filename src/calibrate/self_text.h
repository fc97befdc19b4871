#pragma once

#include "calibrate/text.h"
#include "ech0/model.h"
#include "ech0/progress.h"

namespace ech0 {

struct SelfTextOptions {
    int64_t n_tokens = 4096;
    uint64_t seed = 1;
    int n_threads = 0;
};

/// The calibration text with text that the model itself writes behind it: samples of its own distribution (temperature
/// 1, nothing cut off) show its layers the inputs that they will see when it answers, which no corpus of ours can.
/// Kept in the cache folder, since sampling costs minutes and must be the same when a run resumes.
/// Source: Liu et al. 2023, LLM-QAT: Data-Free Quantization Aware Training (sampling from the model as calibration).
/// @param source_sha256  of the model
CalibrationText with_self_text(const Model& model, const std::string& source_sha256, CalibrationText text,
                               const SelfTextOptions& options, const Progress& progress);

}  // namespace ech0
