#include "machine/device_bandwidth.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include <fmt/format.h>
#include <ggml-alloc.h>
#include <ggml-cpp.h>
#include <ggml.h>

#include "base/text.h"
#include "ech0/error.h"
#include "runtime/engine.h"
#include "runtime/placement.h"

namespace ech0 {
namespace {

constexpr int64_t n_columns = 4096, n_rows = 4096;  // a matrix of 32 MiB, as models of 7e9 weights have them
constexpr double wanted_s = 0.3;
constexpr size_t most_passes = 64;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Matrices side by side, each times the same vector.
struct Products {
    ggml_context_ptr context;
    ggml_cgraph* graph = nullptr;
    ggml_tensor* first = nullptr;
    int64_t weight_bytes = 0;
};

Products make_products(int64_t n_matrices) {
    const auto n_tensors = static_cast<size_t>(2 * n_matrices + 1);
    ggml_init_params params{};
    params.mem_size = n_tensors * ggml_tensor_overhead() + ggml_graph_overhead_custom(n_tensors, false);
    params.no_alloc = true;
    Products products;
    products.context.reset(ggml_init(params));
    ggml_context* const context = products.context.get();
    products.graph = ggml_new_graph_custom(context, n_tensors, false);
    ggml_tensor* const vector = ggml_new_tensor_1d(context, GGML_TYPE_F32, n_columns);
    for (int64_t i = 0; i < n_matrices; i++) {
        ggml_tensor* const matrix = ggml_new_tensor_2d(context, GGML_TYPE_F16, n_columns, n_rows);
        ggml_tensor* const product = ggml_mul_mat(context, matrix, vector);
        ggml_build_forward_expand(products.graph, product);
        products.weight_bytes += static_cast<int64_t>(ggml_nbytes(matrix));
        if (products.first == nullptr) products.first = product;
    }
    return products;
}

// The first pass loads kernels and is not counted.
std::vector<double> time_passes(ggml_backend_t backend, ggml_cgraph* graph) {
    std::vector<double> pass_s;
    const Clock::time_point start = Clock::now();
    for (bool first = true; first || pass_s.empty() || (seconds_since(start) < wanted_s && pass_s.size() < most_passes);
         first = false) {
        const Clock::time_point pass = Clock::now();
        if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) throw engine_error("run a product");
        if (!first) pass_s.push_back(seconds_since(pass));
    }
    return pass_s;
}

}  // namespace

ReadBandwidth measure_device_bandwidth(const std::string& name, int64_t buffer_bytes, int n_threads) {
    start_engine();
    clear_engine_message();
    ggml_backend_dev_t const device = ggml_backend_dev_by_name(name.c_str());
    if (device == nullptr) throw EngineError(fmt::format("measure {}: the engine has no such device", printable(name)));
    const ggml_backend_ptr backend = start_device(device, n_threads);

    const Products products = make_products(std::max<int64_t>(1, buffer_bytes / (n_columns * n_rows * 2)));
    if (!ggml_backend_dev_supports_op(device, products.first))
        throw EngineError(fmt::format("measure {}: it can't multiply half precision", printable(name)));
    const ggml_backend_buffer_ptr buffer(ggml_backend_alloc_ctx_tensors(products.context.get(), backend.get()));
    if (!buffer) throw engine_error(fmt::format("get {} bytes on {}", products.weight_bytes, printable(name)));
    ggml_backend_buffer_clear(buffer.get(), 0);  // whatever lies there may be no number, or not be there at all yet

    std::vector<double> pass_s = time_passes(backend.get(), products.graph);
    std::sort(pass_s.begin(), pass_s.end());
    const auto bytes = static_cast<double>(products.weight_bytes);
    return {bytes / pass_s.front(), bytes / pass_s[pass_s.size() / 2],
            bytes / pass_s.back(),  static_cast<int64_t>(pass_s.size()),
            products.weight_bytes,  ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU ? n_threads : 0};
}

}  // namespace ech0
