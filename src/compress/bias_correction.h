#pragma once

// What rounding moves on average, a bias can take back: b' = b + W mean(x) - Q mean(y), with W and x the original's
// matrix and inputs, Q and y the rounded model's (bias correction: Nagel et al. 2019). Layer after layer, so that each
// mean is that of the model with the biases before it corrected. Only where the model stores biases.

#include "compress/small_tensors.h"

namespace ech0 {

/// @param rounded  the rounded weights, as the file will have them
/// @return the biases that change; empty if the model has none, or none of a rounded matrix
/// @throws EngineError, Interrupted
SmallTensors corrected_biases(const Source& source, const Weights& rounded, const Chunks& chunks, const Walk& walk);

}  // namespace ech0
