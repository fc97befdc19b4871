#pragma once

// Where the engine keeps weights. For some types a processor has kernels that want rows interleaved; their weights go
// to a buffer of their own and are rearranged while they load. Which ones depends on processor, type and shape, so the
// engine's devices are asked, as it asks them itself when it loads a model.

#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml.h>

#include "ech0/model.h"

namespace ech0 {

/// A device at work, with so many threads where it has threads. @throws EngineError
ggml_backend_ptr start_device(ggml_backend_dev_t device, int n_threads);

/// The buffers that this device would hold the weights of a product in.
/// @param product  ggml_mul_mat(weights, …), its weights not yet allocated
ggml_backend_buffer_type_t weight_buffer_type(ggml_backend_dev_t device, ggml_tensor* product);

/// Would this tensor, stored in this type, be rearranged by the processor when it is multiplied?
bool is_rearranged(const Tensor& tensor, ggml_type type);

}  // namespace ech0
