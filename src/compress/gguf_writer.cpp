#include "compress/gguf_writer.h"

#include <gguf.h>
#include <llama.h>

#include <map>

namespace ech0 {
namespace {

/// llama.cpp's name for a file of mostly this type; only a label, shown by runtimes.
llama_ftype file_type(ggml_type type) {
    static const std::map<ggml_type, llama_ftype> labels = {
        {GGML_TYPE_F32, LLAMA_FTYPE_ALL_F32},
        {GGML_TYPE_F16, LLAMA_FTYPE_MOSTLY_F16},
        {GGML_TYPE_BF16, LLAMA_FTYPE_MOSTLY_BF16},
        {GGML_TYPE_Q4_0, LLAMA_FTYPE_MOSTLY_Q4_0},
        {GGML_TYPE_Q4_1, LLAMA_FTYPE_MOSTLY_Q4_1},
        {GGML_TYPE_Q5_0, LLAMA_FTYPE_MOSTLY_Q5_0},
        {GGML_TYPE_Q5_1, LLAMA_FTYPE_MOSTLY_Q5_1},
        {GGML_TYPE_Q8_0, LLAMA_FTYPE_MOSTLY_Q8_0},
        {GGML_TYPE_Q2_K, LLAMA_FTYPE_MOSTLY_Q2_K},
        {GGML_TYPE_Q3_K, LLAMA_FTYPE_MOSTLY_Q3_K_M},
        {GGML_TYPE_Q4_K, LLAMA_FTYPE_MOSTLY_Q4_K_M},
        {GGML_TYPE_Q5_K, LLAMA_FTYPE_MOSTLY_Q5_K_M},
        {GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q6_K},
        {GGML_TYPE_IQ1_S, LLAMA_FTYPE_MOSTLY_IQ1_S},
        {GGML_TYPE_IQ1_M, LLAMA_FTYPE_MOSTLY_IQ1_M},
        {GGML_TYPE_IQ2_XXS, LLAMA_FTYPE_MOSTLY_IQ2_XXS},
        {GGML_TYPE_IQ2_XS, LLAMA_FTYPE_MOSTLY_IQ2_XS},
        {GGML_TYPE_IQ2_S, LLAMA_FTYPE_MOSTLY_IQ2_S},
        {GGML_TYPE_IQ3_XXS, LLAMA_FTYPE_MOSTLY_IQ3_XXS},
        {GGML_TYPE_IQ3_S, LLAMA_FTYPE_MOSTLY_IQ3_S},
        {GGML_TYPE_IQ4_NL, LLAMA_FTYPE_MOSTLY_IQ4_NL},
        {GGML_TYPE_IQ4_XS, LLAMA_FTYPE_MOSTLY_IQ4_XS},
        {GGML_TYPE_MXFP4, LLAMA_FTYPE_MOSTLY_MXFP4_MOE},
    };
    const auto found = labels.find(type);
    return found == labels.end() ? LLAMA_FTYPE_GUESSED : found->second;
}

ggml_type commonest(const Model& model, std::span<const int32_t> types) {
    std::map<int32_t, int64_t> weights;
    for (size_t i = 0; i < types.size(); i++) weights[types[i]] += model.tensors[i].n_elements;
    int32_t best = types.front();
    for (const auto& [type, n] : weights)
        if (n > weights[best]) best = type;
    return static_cast<ggml_type>(best);
}

void set_provenance(gguf_context* gguf, const Provenance& p) {
    gguf_set_val_str(gguf, "ech0.version", ECH0_VERSION);
    gguf_set_val_str(gguf, "ech0.engine", p.engine.c_str());
    gguf_set_val_str(gguf, "ech0.recipe", p.recipe.c_str());
    gguf_set_val_u64(gguf, "ech0.budget_bytes", static_cast<uint64_t>(p.budget_bytes));
    gguf_set_val_str(gguf, "ech0.source.name", p.source_name.c_str());
    gguf_set_val_str(gguf, "ech0.source.sha256", p.source_sha256.c_str());
    gguf_set_val_u64(gguf, "ech0.source.size_bytes", static_cast<uint64_t>(p.source_size_bytes));
    gguf_set_val_str(gguf, "ech0.calibration.name", p.calibration_name.c_str());
    gguf_set_val_str(gguf, "ech0.calibration.sha256", p.calibration_sha256.c_str());
    gguf_set_val_u64(gguf, "ech0.calibration.n_tokens", static_cast<uint64_t>(p.calibration_n_tokens));
    gguf_set_val_f32(gguf, "ech0.evidence.selection_kl_divergence", static_cast<float>(p.selection_kl_divergence));
    gguf_set_val_u64(gguf, "ech0.evidence.selection_n_tokens", static_cast<uint64_t>(p.selection_n_tokens));
}

}  // namespace

GgufHead::GgufHead(const Model& model, std::span<const int32_t> types, const Provenance& provenance)
    : gguf_(copied_keys(model)) {
    tensors_.reset(ggml_init({ggml_tensor_overhead() * (model.tensors.size() + 1), nullptr, true}));
    gguf_set_val_u32(gguf_.get(), "general.file_type", static_cast<uint32_t>(file_type(commonest(model, types))));
    gguf_set_val_u32(gguf_.get(), "general.quantization_version", GGML_QNT_VERSION);
    set_provenance(gguf_.get(), provenance);
    set_proof(gguf_.get(), "read again, index checked, run by the engine: as planned");
    for (size_t i = 0; i < model.tensors.size(); i++) {
        const Tensor& t = model.tensors[i];
        ggml_tensor* tensor = ggml_new_tensor(tensors_.get(), static_cast<ggml_type>(types[i]),
                                              static_cast<int>(t.shape.size()), t.shape.data());
        ggml_set_name(tensor, t.name.c_str());
        gguf_add_tensor(gguf_.get(), tensor);
    }
}

int64_t GgufHead::head_bytes() const { return static_cast<int64_t>(gguf_get_meta_size(gguf_.get())); }

int64_t GgufHead::padded(int64_t tensor_bytes) const {
    const auto alignment = static_cast<int64_t>(gguf_get_alignment(gguf_.get()));
    return (tensor_bytes + alignment - 1) / alignment * alignment;
}

int64_t GgufHead::file_bytes() const { return ech0::file_bytes(gguf_.get()); }

std::string GgufHead::write(const std::filesystem::path& target, const TensorBytes& read, const Proof& proof) const {
    return write_gguf(gguf_.get(), read, target, proof);
}

}  // namespace ech0
