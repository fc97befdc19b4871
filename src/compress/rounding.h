#pragma once

#include <ggml.h>

#include <functional>
#include <span>
#include <vector>

#include "compress/feedback.h"
#include "compress/tensor_metric.h"
#include "ech0/calibration.h"
#include "runtime/source.h"

namespace ech0 {

/// Weights of the columns in the rounding error, [n_mat, n_cols]: mean squares of the inputs, with a floor so that a
/// column nothing ever came through (a dead head) still has a defined scale. Ones if there are no statistics.
/// @throws UsageError if the statistics are of another shape
std::vector<float> column_weights(const Tensor& tensor, const Importance* importance);

/// Round rows to a type with the engine's own quantizer, which weighs errors by `weights`.
/// @param rows  [n_rows, n_cols]; @param weights  [n_cols]; @param out  ggml_row_size(type, n_cols) x n_rows bytes
/// @throws EngineError if the engine made blocks that it would itself refuse (NaN, infinity in the source)
void round_rows(ggml_type type, const float* rows, int64_t n_rows, int64_t n_cols, const float* weights, void* out);

/// A whole tensor with error feedback, slab by slab, on n_threads threads; `take` gets the slabs in order. The bytes do
/// not depend on the number of threads. Types without blocks are converted.
void round_tensor(const Source& source, const Tensor& tensor, ggml_type type, const TensorMetric& metric,
                  const FeedbackOptions& options, int n_threads,
                  const std::function<void(std::span<const std::byte>)>& take);

/// Loss of storing a tensor in a type, on the layer's own outputs: (W - W') H (W - W)' over a sample of rows, as a
/// share of W H W'.
double local_error(const Source& source, const Tensor& tensor, ggml_type type, const TensorMetric& metric,
                   const FeedbackOptions& options);

}  // namespace ech0
