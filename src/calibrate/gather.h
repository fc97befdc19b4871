#pragma once

#include "calibrate/chunks.h"
#include "ech0/calibration.h"
#include "ech0/progress.h"

namespace ech0 {

/// Walk the model over the chunks and gather what enters each linear map: the sum of squares of every input column.
/// One segment of the model is in memory at a time. Products that the engine makes from the same tensor twice (a tied
/// embedding) count where they are products, i.e. as output.
/// @throws EngineError, Interrupted
Calibration gather_importance(const Model& model, const Weights& weights, const Chunks& chunks, int64_t n_ctx,
                              int n_threads, const Progress& progress);

}  // namespace ech0
