#include "model/component.h"

#include <array>
#include <cctype>

namespace ech0 {
namespace {

struct Rule {
    std::string_view stem;  // the name without "blk.N." and ".weight" or ".bias"
    std::string_view component;
};

// Names: gguf-py/gguf/constants.py of llama.cpp.
constexpr std::array<Rule, 28> rules = {{
    {"token_embd", "token embedding"},
    {"position_embd", "token embedding"},
    {"token_types", "token embedding"},
    {"per_layer_token_embd", "token embedding"},
    {"attn_qkv", "attention qkv"},
    {"attn_q", "attention q"},
    {"attn_q_a", "attention q"},
    {"attn_q_b", "attention q"},
    {"attn_k", "attention k"},
    {"attn_kv_a_mqa", "attention kv"},
    {"attn_kv_b", "attention kv"},
    {"attn_k_b", "attention k"},
    {"attn_v", "attention v"},
    {"attn_v_b", "attention v"},
    {"attn_output", "attention output"},
    {"ffn_gate_inp", "expert router"},
    {"ffn_gate", "ffn gate"},
    {"ffn_up", "ffn up"},
    {"ffn_down", "ffn down"},
    {"ffn_gate_exps", "experts gate"},
    {"ffn_up_exps", "experts up"},
    {"ffn_gate_up_exps", "experts up"},
    {"ffn_down_exps", "experts down"},
    {"ffn_gate_shexp", "shared expert"},
    {"ffn_up_shexp", "shared expert"},
    {"ffn_down_shexp", "shared expert"},
    {"ffn_gate_inp_shexp", "shared expert"},
    {"output", "output"},
}};

constexpr std::array<std::string_view, 18> order = {
    "token embedding",  "attention qkv", "attention q",   "attention k", "attention kv",  "attention v",
    "attention output", "ffn gate",      "ffn up",        "ffn down",    "expert router", "experts gate",
    "experts up",       "experts down",  "shared expert", "output",      "norms",         "biases",
};

// "blk.12.ffn_up.weight" -> "ffn_up"
std::string_view stem_of(std::string_view name) {
    if (name.starts_with("blk.")) {
        size_t at = 4;
        while (at < name.size() && std::isdigit(static_cast<unsigned char>(name[at]))) at++;
        if (at < name.size() && name[at] == '.') name.remove_prefix(at + 1);
    }
    return name.substr(0, name.rfind('.'));
}

}  // namespace

std::string_view component_of(std::string_view tensor_name) {
    if (tensor_name.ends_with(".bias")) return "biases";
    const std::string_view stem = stem_of(tensor_name);
    if (stem.ends_with("_norm") || stem.starts_with("norm") || stem.ends_with("layernorm")) return "norms";
    for (const Rule& rule : rules) {
        if (rule.stem == stem) return rule.component;
    }
    return "other";
}

int component_rank(std::string_view component) {
    for (size_t i = 0; i < order.size(); i++) {
        if (order[i] == component) return static_cast<int>(i);
    }
    return static_cast<int>(order.size());
}

}  // namespace ech0
