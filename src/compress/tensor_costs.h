#pragma once

#include <ggml.h>

#include <vector>

#include "compress/workspace.h"
#include "ech0/calibration.h"
#include "ech0/progress.h"
#include "runtime/source.h"

namespace ech0 {

/// What each way of storing one tensor costs: bytes, and the error on its own outputs.
struct TensorCosts {
    const Tensor* tensor = nullptr;
    std::vector<float> weights;    ///< of its columns, [n_mat, n_cols]
    std::vector<ggml_type> types;  ///< by size; only one if it must stay as it is
    std::vector<double> errors;    ///< local_error of each type
};

/// For every tensor of the model, in order; kept in the workspace.
/// @param target_bits  bits per weight that the budget comes to: types far from it are not looked at
std::vector<TensorCosts> tensor_costs(const Source& source, const Calibration& calibration, double target_bits,
                                      Workspace& work, int n_threads, const Progress& progress);

}  // namespace ech0
