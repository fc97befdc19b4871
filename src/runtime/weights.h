#pragma once

#include <ggml.h>

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// A version of a model's weights: for each tensor of the source, its type in this version and its bytes. The source
/// itself is one version, a plan's quantized tensors another; segments run either.
struct Weights {
    std::function<ggml_type(const Tensor&)> type;
    /// The bytes, ggml_row_size(type, n_cols) x n_rows of them; may be written into `scratch` or lie elsewhere.
    std::function<std::span<const std::byte>(const Tensor&, std::vector<std::byte>& scratch)> bytes;
    /// The engine has its copy: the tensor's pages may go. Optional.
    std::function<void(const Tensor&)> release = {};
};

}  // namespace ech0
