#include "plan/candidates.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ech0/error.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

// Not among them: Q8_1 and Q8_K (activations only), TQ1_0/TQ2_0 (need ternary weights), Q1_0 and NVFP4 (too young:
// released versions of Ollama and LM Studio do not load them yet). Q2_0 is as young, but rows that 256 does not divide
// have nothing else below 4 bits: there it is better than no file at all.
constexpr std::array types = {
    GGML_TYPE_IQ1_S, GGML_TYPE_IQ1_M,   GGML_TYPE_IQ2_XXS, GGML_TYPE_IQ2_XS, GGML_TYPE_IQ2_S,  GGML_TYPE_Q2_0,
    GGML_TYPE_Q2_K,  GGML_TYPE_IQ3_XXS, GGML_TYPE_IQ3_S,   GGML_TYPE_Q3_K,   GGML_TYPE_IQ4_XS, GGML_TYPE_MXFP4,
    GGML_TYPE_Q4_0,  GGML_TYPE_IQ4_NL,  GGML_TYPE_Q4_K,    GGML_TYPE_Q4_1,   GGML_TYPE_Q5_0,   GGML_TYPE_Q5_K,
    GGML_TYPE_Q5_1,  GGML_TYPE_Q6_K,    GGML_TYPE_Q8_0,    GGML_TYPE_F16,    GGML_TYPE_BF16,
};

// As llama_model_quantize leaves them alone (src/llama-quant.cpp, tensor_allows_quantization).
constexpr std::array<std::string_view, 11> kept_parts = {
    "_norm.weight",   "ffn_gate_inp", "altup",      "laurel",        "per_layer_model_proj", "ssm_conv1d",
    "shortconv.conv", "time_mix_",    "attn_rel_b", "position_embd", "token_types",
};

bool is_usable(ggml_type type, int64_t n_cols) {
    if (!row_fits(type, n_cols)) return false;
    return type != GGML_TYPE_Q2_0 || !row_fits(GGML_TYPE_Q2_K, n_cols);
}

}  // namespace

ggml_type offered_type(const std::string& name) {
    const ggml_type type = type_by_name(name);
    if (std::find(types.begin(), types.end(), type) != types.end()) return type;
    std::string all;
    for (const ggml_type t : types) all += " " + type_label(t);
    throw UsageError("no matrix is stored as " + type_label(type) + " here; choose one of" + all);
}

bool is_compressible(const Tensor& tensor) {
    if (tensor.shape.size() < 2 || tensor.n_rows() < 2 || !tensor.name.ends_with("weight")) return false;
    return std::none_of(kept_parts.begin(), kept_parts.end(),
                        [&](std::string_view part) { return tensor.name.find(part) != std::string::npos; });
}

std::vector<ggml_type> candidate_types(const Tensor& tensor, double min_bits, double max_bits) {
    const auto source = static_cast<ggml_type>(tensor.type);
    std::vector<ggml_type> result = {source};
    for (const ggml_type type : types) {
        const double bits = type_bits(type);
        if (type != source && is_usable(type, tensor.n_cols()) && bits >= min_bits && bits <= max_bits &&
            bits < type_bits(source))
            result.push_back(type);
    }
    std::stable_sort(result.begin(), result.end(),
                     [](ggml_type a, ggml_type b) { return type_bits(a) < type_bits(b); });
    return result;
}

}  // namespace ech0
