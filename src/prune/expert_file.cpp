#include "prune/expert_file.h"

#include <fmt/format.h>
#include <gguf.h>

#include <algorithm>

#include "ech0/error.h"
#include "model/metadata.h"
#include "runtime/gguf_output.h"

namespace ech0 {
namespace {

ggml_context_ptr add_tensors(gguf_context* gguf, const Model& model, int64_t n_kept) {
    ggml_context_ptr tensors(ggml_init({ggml_tensor_overhead() * (model.tensors.size() + 1), nullptr, true}));
    for (const Tensor& t : model.tensors) {
        std::vector<int64_t> shape = t.shape;
        if (is_per_expert(model, t)) shape.back() = n_kept;
        ggml_tensor* tensor = ggml_new_tensor(tensors.get(), static_cast<ggml_type>(t.type),
                                              static_cast<int>(shape.size()), shape.data());
        ggml_set_name(tensor, t.name.c_str());
        gguf_add_tensor(gguf, tensor);
    }
    return tensors;
}

/// Whole slices of the last dimension, in their own type.
std::vector<std::byte> slices(std::span<const std::byte> all, int64_t n, const std::vector<int32_t>& kept) {
    const size_t each = all.size() / static_cast<size_t>(n);
    std::vector<std::byte> some;
    some.reserve(each * kept.size());
    for (const int32_t i : kept) {
        const auto one = all.subspan(static_cast<size_t>(i) * each, each);
        some.insert(some.end(), one.begin(), one.end());
    }
    return some;
}

/// What goes with one expert of every layer, in weights or in bytes.
int64_t sum_per_expert(const Model& model, int64_t Tensor::*quantity) {
    int64_t sum = 0;
    for (const Tensor& t : model.tensors)
        if (is_per_expert(model, t)) sum += t.*quantity / model.n_expert;
    return sum;
}

}  // namespace

bool is_per_expert(const Model& model, const Tensor& tensor) {
    if (model.n_expert < 1 || !tensor.name.starts_with("blk.") || tensor.shape.back() != model.n_expert) return false;
    for (const char* part : {"_exps.", ".ffn_gate_inp.", ".exp_probs_b."})
        if (tensor.name.find(part) != std::string::npos) return true;
    return false;
}

int64_t layer_of(const Tensor& tensor) { return std::stoll(tensor.name.substr(std::string_view("blk.").size())); }

int64_t params_per_expert(const Model& model) { return sum_per_expert(model, &Tensor::n_elements); }
int64_t bytes_per_expert(const Model& model) { return sum_per_expert(model, &Tensor::size_bytes); }

void check_experts(const Model& model) {
    const std::string file = model.files.front().string();
    if (model.n_expert < 1) throw UsageError(fmt::format("{} has no experts", file));
    const int64_t n_groups = find_integer(model.metadata, model.architecture + ".expert_group_count").value_or(1);
    if (n_groups > 1)
        throw UsageError(
            fmt::format("{}: experts are routed in {} groups: they cannot be cut one by one", file, n_groups));
    if (params_per_expert(model) == 0)
        throw UsageError(fmt::format("{}: no tensor has a part for each of its {} experts", file, model.n_expert));
}

void write_experts(const Source& source, const KeptExperts& kept, const std::string& recipe,
                   const std::filesystem::path& target, const Proof& proof) {
    const Model& model = source.model();
    check_experts(model);
    const auto n_kept = static_cast<int64_t>(kept.front().size());
    if (n_kept < model.n_expert_used)
        throw UsageError(fmt::format("{} experts would be left, each token goes to {}", n_kept, model.n_expert_used));
    const gguf_context_ptr gguf = copied_keys(model);
    gguf_set_val_u32(gguf.get(), (model.architecture + ".expert_count").c_str(), static_cast<uint32_t>(n_kept));
    gguf_set_val_str(gguf.get(), "ech0.recipe", recipe.c_str());
    set_proof(gguf.get(), "read again, index checked, run by the engine");
    gguf_set_val_str(gguf.get(), "ech0.source.name", model.files.front().filename().string().c_str());
    const ggml_context_ptr tensors = add_tensors(gguf.get(), model, n_kept);
    const auto read = [&](size_t i, std::vector<std::byte>& scratch) {
        const Tensor& t = model.tensors[i];
        if (!is_per_expert(model, t)) return source.bytes(t);
        scratch = slices(source.bytes(t), model.n_expert, kept[static_cast<size_t>(layer_of(t))]);
        source.release(t);
        return std::span<const std::byte>(scratch);
    };
    write_gguf(gguf.get(), read, target, proof);
}

}  // namespace ech0
