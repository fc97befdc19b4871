#include "runtime/placement.h"

#include <string>

#include "runtime/engine.h"
#include "runtime/ggml_types.h"

namespace ech0 {

ggml_backend_ptr start_device(ggml_backend_dev_t device, int n_threads) {
    ggml_backend_ptr backend(ggml_backend_dev_init(device, nullptr));
    if (!backend) throw engine_error(std::string("start ") + ggml_backend_dev_name(device));
    const auto set = reinterpret_cast<ggml_backend_set_n_threads_t>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_set_n_threads"));
    if (set != nullptr) set(backend.get(), n_threads);
    return backend;
}

ggml_backend_buffer_type_t weight_buffer_type(ggml_backend_dev_t device, ggml_tensor* product) {
    using GetExtra = ggml_backend_buffer_type_t* (*)(ggml_backend_dev_t);
    const auto get_extra = reinterpret_cast<GetExtra>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
    ggml_backend_buffer_type_t* extra = get_extra != nullptr ? get_extra(device) : nullptr;
    for (; extra != nullptr && *extra != nullptr; extra++) {
        const ggml_backend_buffer_ptr empty(ggml_backend_buft_alloc_buffer(*extra, 0));
        product->src[0]->buffer = empty.get();
        const bool can = ggml_backend_dev_supports_op(device, product);
        product->src[0]->buffer = nullptr;
        if (can) return *extra;
    }
    return ggml_backend_dev_buffer_type(device);
}

bool is_rearranged(const Tensor& tensor, ggml_type type) {
    start_engine();
    if (tensor.n_rows() < 2 || !row_fits(type, tensor.n_cols())) return false;
    const ggml_context_ptr context(ggml_init({8 * ggml_tensor_overhead(), nullptr, true}));
    ggml_tensor* weights = ggml_new_tensor_2d(context.get(), type, tensor.n_cols(), tensor.n_rows());
    ggml_tensor* input = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, tensor.n_cols(), 512);
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_tensor* product = ggml_mul_mat(context.get(), weights, input);
    return weight_buffer_type(cpu, product) != ggml_backend_dev_buffer_type(cpu);
}

}  // namespace ech0
