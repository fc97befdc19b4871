#pragma once

// After the last matrix is rounded: norms and biases take no room worth counting, so they can be chosen anew for the
// model as it has become. Each way is fitted on calibration text, measured end to end on the selection text, and stays
// only if the paired difference says that it is nearer; either way the report says so.

#include <optional>

#include "compress/judge.h"
#include "compress/small_tensors.h"
#include "ech0/plan.h"

namespace ech0 {

struct PolishJob {
    const Source& source;
    Weights rounded;         ///< as the file would have them
    Chunks chunks;           ///< of calibration text, to fit on
    Walk walk;               ///< how the model is run on them
    const Judge& judge;      ///< measures on other text
    std::vector<double> kl;  ///< what `judge` says of `rounded`
    /// Kept results of an earlier run that was stopped, by way; and where they are kept. Optional.
    std::function<std::optional<SmallTensors>(const std::string& way)> known = {};
    std::function<void(const std::string& way, const SmallTensors&)> keep = {};
};

struct Polish {
    SmallTensors changed;      ///< what the file has instead of the source's
    std::vector<Trial> tried;  ///< each way: what it measured, or why it does not apply
    double kl_divergence = 0;  ///< with what is kept, on the selection text
};

/// @throws EngineError, FileError, Interrupted
Polish polish(const PolishJob& job);

}  // namespace ech0
