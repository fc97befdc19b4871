#pragma once

#include <cstdint>

#include "ech0/model.h"

namespace ech0 {

/// What the processor takes beside the buffers of a context while it computes: the inputs of a product, converted to
/// the type that its weights are multiplied with, and a tile of attention for each thread. The largest of all
/// operations; asked of the engine's own planner, which is told only their shapes.
/// @param n_batch  tokens at a time
int64_t cpu_work_bytes(const Model& model, int64_t n_batch, int n_threads);

}  // namespace ech0
