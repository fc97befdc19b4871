#include "runtime/cpu_work.h"

#include <ggml-cpp.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "runtime/engine.h"

namespace ech0 {
namespace {

/// The product with these weights as a model makes it; of experts with the inputs of those that are used.
ggml_tensor* product_of(ggml_context* context, const Tensor& tensor, const Model& model, int64_t n_batch) {
    const auto type = static_cast<ggml_type>(tensor.type);
    if (tensor.shape.size() < 3) {
        ggml_tensor* const weights = ggml_new_tensor_2d(context, type, tensor.n_cols(), tensor.n_rows());
        return ggml_mul_mat(context, weights, ggml_new_tensor_2d(context, GGML_TYPE_F32, tensor.n_cols(), n_batch));
    }
    ggml_tensor* const weights = ggml_new_tensor_3d(context, type, tensor.n_cols(), tensor.shape[1], tensor.shape[2]);
    const int64_t n_used = std::max<int64_t>(1, model.n_expert_used);
    const bool is_down = tensor.name.find("_down") != std::string::npos;  // each expert has an input of its own
    ggml_tensor* const input =
        ggml_new_tensor_3d(context, GGML_TYPE_F32, tensor.n_cols(), is_down ? n_used : 1, n_batch);
    return ggml_mul_mat_id(context, weights, input, ggml_new_tensor_2d(context, GGML_TYPE_I32, n_used, n_batch));
}

ggml_tensor* attention_of(ggml_context* context, const Model& model, int64_t n_batch) {
    const auto heads = [&](ggml_type type, int64_t width, int64_t n_tokens, int64_t n) {
        return ggml_new_tensor_3d(context, type, width, n_tokens, n);
    };
    return ggml_flash_attn_ext(context, heads(GGML_TYPE_F32, model.n_embd_head_k, n_batch, 1),
                               heads(GGML_TYPE_F16, model.n_embd_head_k, n_batch, 1),
                               heads(GGML_TYPE_F16, model.n_embd_head_v, n_batch, 1), nullptr, 1, 0, 0);
}

/// Weights that a whole batch is multiplied with, those of one shape once: the embedding is looked up, and what is
/// made of it at the end is made of the tokens that are asked for.
std::vector<const Tensor*> products_of(const Model& model) {
    std::vector<const Tensor*> products;
    std::set<std::tuple<int32_t, std::vector<int64_t>, bool>> seen;
    for (const Tensor& tensor : model.tensors) {
        const bool per_layer = tensor.name.starts_with("blk.") && tensor.name.ends_with(".weight");
        if (!per_layer || tensor.shape.size() < 2 || tensor.n_rows() < 2) continue;
        const bool is_down = tensor.name.find("_down") != std::string::npos;
        if (seen.insert({tensor.type, tensor.shape, is_down}).second) products.push_back(&tensor);
    }
    return products;
}

}  // namespace

int64_t cpu_work_bytes(const Model& model, int64_t n_batch, int n_threads) {
    start_engine();
    const std::vector<const Tensor*> products = products_of(model);
    const size_t n_nodes = 4 * products.size() + 8;
    const ggml_context_ptr context(
        ggml_init({n_nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(n_nodes, false), nullptr, true}));
    ggml_cgraph* const graph = ggml_new_graph_custom(context.get(), n_nodes, false);
    for (const Tensor* tensor : products)
        ggml_build_forward_expand(graph, product_of(context.get(), *tensor, model, n_batch));
    if (model.n_embd_head_k > 0 && model.n_embd_head_v > 0)
        ggml_build_forward_expand(graph, attention_of(context.get(), model, n_batch));
    return static_cast<int64_t>(ggml_graph_plan(graph, n_threads, nullptr).work_size);
}

}  // namespace ech0
