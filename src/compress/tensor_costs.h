#pragma once

#include <ggml.h>

#include <functional>
#include <vector>

#include "compress/rounding.h"
#include "compress/workspace.h"
#include "ech0/progress.h"
#include "runtime/source.h"

namespace ech0 {

/// What each way of storing one tensor costs: bytes, and the error on its own outputs.
struct TensorCosts {
    const Tensor* tensor = nullptr;
    std::vector<ggml_type> types;  ///< by size; only one if it must stay as it is
    std::vector<double> errors;    ///< local_error of each type
};

/// For every tensor of the model, in order; kept in the workspace.
/// @param target_bits  bits per weight that the budget comes to: types far from it are not looked at
/// @param metric_of  how errors in a tensor count
std::vector<TensorCosts> tensor_costs(const Source& source, const std::function<TensorMetric(const Tensor&)>& metric_of,
                                      const FeedbackOptions& options, double target_bits, Workspace& work,
                                      int n_threads, const Progress& progress);

}  // namespace ech0
