// Where the rules come from: the GGML_ASSERTs in llama.cpp's llama_model_base::load_hparams, llama_vocab::impl::load,
// the graphs in src/models/*.cpp and the operators they call (ggml_rope: n_dims even and at most the head;
// ggml_rms_norm: eps >= 0; ggml_mul, ggml_add: F32 only; ggml_mul_mat: heads a multiple of KV heads).
// tests/model/engine_rules_test.cpp damages files at random and runs what passes here through the engine.

#include "model/engine_rules.h"

#include <cmath>
#include <deque>
#include <set>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ggml.h>

#include "base/text.h"
#include "model/metadata.h"

namespace ech0 {
namespace {

constexpr int64_t most_layers = 512;              // LLAMA_MAX_LAYERS
constexpr int64_t most_experts = 1024;            // LLAMA_MAX_EXPERTS
constexpr int64_t most_width = int64_t{1} << 24;  // wider than any model; products of two and a layer count fit 63 bits
constexpr int64_t most_context = (int64_t{1} << 31) - 1;

class Rules {
public:
    Rules(const Model& model, const GgufFile& first) : model_(model), first_(first) {}

    std::string key(std::string_view name) const { return model_.architecture + "." + std::string(name); }
    int64_t integer(std::string_view name, int64_t otherwise) const {
        return find_integer(model_.metadata, key(name)).value_or(otherwise);
    }

    // name: a key without the architecture
    void in_range(std::string_view name, int64_t found, int64_t least, int64_t most) const {
        if (found >= least && found <= most) return;
        throw first_.error(fmt::format("key '{}' is {}, wanted {} to {}: the file is damaged", printable(key(name)),
                                       found, least, most));
    }

    void wanted(bool holds, std::string_view what) const {
        if (!holds) throw first_.error(fmt::format("{}: the file is damaged", what));
    }

private:
    const Model& model_;
    const GgufFile& first_;
};

void check_widths(const Model& model, const Rules& rules) {
    rules.in_range("block_count", model.n_layer, 1, most_layers);
    rules.in_range("embedding_length", model.n_embd, 1, most_width);
    rules.in_range("context_length", model.n_ctx_train, 1, most_context);
    for (const int64_t n_ff : model.n_ff) rules.in_range("feed_forward_length", n_ff, 0, most_width);
    rules.in_range("attention.key_length", model.n_embd_head_k, 0, most_width);
    rules.in_range("attention.value_length", model.n_embd_head_v, 0, most_width);
}

void check_heads(const Model& model, const Rules& rules) {
    for (size_t i = 0; i < model.n_head.size(); i++) {
        const int64_t n_head = model.n_head[i], n_head_kv = model.n_head_kv[i];
        rules.in_range("attention.head_count", n_head, 0, most_width);
        rules.in_range("attention.head_count_kv", n_head_kv, 0, most_width);
        rules.wanted(n_head_kv == 0 || n_head % n_head_kv == 0,
                     fmt::format("layer {} has {} heads for {} KV heads, wanted a multiple", i, n_head, n_head_kv));
    }
}

void check_experts(const Model& model, const Rules& rules) {
    const int64_t n_group = rules.integer("expert_group_count", 0),
                  n_group_used = rules.integer("expert_group_used_count", 0);
    if (model.architecture.starts_with("hunyuan") && model.n_expert <= 1) return;  // the engine clears both
    rules.in_range("expert_count", model.n_expert, 0, most_experts);
    rules.in_range("expert_used_count", model.n_expert_used, model.n_expert > 0 ? 1 : 0, model.n_expert);
    rules.in_range("expert_group_count", n_group, 0, model.n_expert > 0 ? model.n_expert - 1 : 0);
    if (n_group > 1) {
        rules.wanted(model.n_expert % n_group == 0,
                     fmt::format("{} experts in {} groups, wanted a multiple", model.n_expert, n_group));
        rules.in_range("expert_group_used_count", n_group_used, 1, n_group - 1);
    }
}

void check_constants(const Model& model, const Rules& rules) {
    for (const char* name : {"attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"}) {
        const double epsilon = find_number(model.metadata, rules.key(name)).value_or(0);
        rules.wanted(
            std::isfinite(epsilon) && epsilon >= 0,
            fmt::format("key '{}' is {}, wanted a small positive number", printable(rules.key(name)), epsilon));
    }
    const std::string scaling = find_string(model.metadata, rules.key("rope.scaling.type")).value_or("none");
    static const std::set<std::string> scalings = {"none", "linear", "yarn", "longrope"};
    rules.wanted(scalings.contains(scaling),
                 fmt::format("key '{}' is '{}', wanted one of {}", printable(rules.key("rope.scaling.type")),
                             printable(scaling), fmt::join(scalings, ", ")));
    rules.in_range("pooling_type", rules.integer("pooling_type", 0), 0, 4);
}

// The engine asserts that no two tokens are the same text. It reads them as C strings and names empty ones by number.
void check_vocabulary(const GgufFile& first) {
    const GgufEntry* const entry = first.find("tokenizer.ggml.tokens");
    if (entry == nullptr) return;
    std::unordered_set<std::string_view> seen;
    std::deque<std::string> named;
    const std::vector<std::string_view> tokens = first.strings(*entry);
    seen.reserve(tokens.size());
    for (size_t i = 0; i < tokens.size(); i++) {
        std::string_view text = tokens[i].substr(0, tokens[i].find('\0'));
        if (text.empty()) text = named.emplace_back(fmt::format("[EMPTY_{}]", i));
        if (!seen.insert(text).second) {
            throw first.error(fmt::format(
                "key 'tokenizer.ggml.tokens': token {} is '{}', which an earlier one is too: the file is damaged", i,
                printable(text)));
        }
    }
}

// What is known here of an architecture's layout; src/models/NAME.cpp of llama.cpp is the source.
struct Layout {
    std::string_view architecture;
    bool q_is_n_embd = false;  // wq is n_embd x n_embd
    bool qk_norm = false;      // norms on every head of Q and K
    bool post_norms = false;   // norms after attention and after the feed-forward block
    bool layers_vary = false;  // layers may have their own widths, or no attention, or no feed-forward block
    bool may_have_experts = false;
    bool always_experts = false;
    bool partial_rope = false;  // n_rot may be below the head size
};

constexpr Layout layouts[] = {
    {.architecture = "llama", .may_have_experts = true},
    {.architecture = "deci", .layers_vary = true},
    {.architecture = "qwen2", .q_is_n_embd = true},
    {.architecture = "qwen3", .qk_norm = true},
    {.architecture = "gemma3", .qk_norm = true, .post_norms = true, .partial_rope = true},
    {.architecture = "qwen2moe", .q_is_n_embd = true, .may_have_experts = true, .always_experts = true},
    {.architecture = "qwen3moe", .qk_norm = true, .may_have_experts = true, .always_experts = true},
};

const Layout* find_layout(std::string_view architecture) {
    for (const Layout& layout : layouts) {
        if (layout.architecture == architecture) return &layout;
    }
    return nullptr;
}

class LayoutRules {
public:
    LayoutRules(const Model& model, const GgufFile& first, const Layout& layout)
        : model_(model), first_(first), layout_(layout), rules_(model, first) {}

    void check() const {
        check_numbers();
        check_types();
        has("token_embd.weight", {model_.n_embd, model_.n_vocab});
        has("output_norm.weight", {model_.n_embd});
        if (!model_.tied_embeddings) has("output.weight", {model_.n_embd, model_.n_vocab});
        for (int64_t i = 0; i < model_.n_layer; i++) {
            check_attention(i);
            check_feed_forward(i);
        }
    }

private:
    void has(const std::string& name, const std::vector<int64_t>& shape) const {
        const Tensor* const tensor = model_.find(name);
        if (tensor == nullptr) {
            throw first_.error(
                fmt::format("tensor {} is missing, wanted for a {} model of {} layers: fetch the file again", name,
                            model_.architecture, model_.n_layer));
        }
        std::vector<int64_t> found = tensor->shape;
        while (found.size() > shape.size() && found.back() == 1) found.pop_back();
        if (found != shape) {
            throw first_.error(fmt::format("tensor {} has shape {}, wanted {} by the file's keys: the file is damaged",
                                           name, tensor->shape, shape));
        }
    }

    void check_numbers() const {
        const int64_t head_k = model_.n_embd_head_k, head_v = model_.n_embd_head_v;
        for (size_t i = 0; i < model_.n_head.size() && !layout_.layers_vary; i++) {
            rules_.in_range("attention.head_count", model_.n_head[i], 1, most_width);
            rules_.in_range("attention.head_count_kv", model_.n_head_kv[i], 1, most_width);
        }
        if (!find_integer(model_.metadata, rules_.key("attention.key_length"))) {
            rules_.wanted(model_.n_head[0] > 0 && model_.n_embd % model_.n_head[0] == 0,
                          fmt::format("{} wide with {} heads, wanted a multiple", model_.n_embd, model_.n_head[0]));
        }
        rules_.in_range("attention.key_length", head_k, 1, most_width);
        rules_.wanted(head_k == head_v, fmt::format("heads of {} for K and {} for V, wanted the same", head_k, head_v));
        const int64_t n_rot = rules_.integer("rope.dimension_count", head_k);
        rules_.in_range("rope.dimension_count", n_rot, layout_.partial_rope ? 2 : head_k, head_k);
        rules_.wanted(n_rot % 2 == 0, fmt::format("{} dimensions are rotated, wanted an even number", n_rot));
        rules_.in_range("expert_count", model_.n_expert, layout_.always_experts ? 1 : 0,
                        layout_.may_have_experts ? most_experts : 0);
        rules_.wanted(
            find_bool(model_.metadata, rules_.key("attention.causal")).value_or(true),
            fmt::format("key '{}' is false, wanted a model that generates text", rules_.key("attention.causal")));
    }

    void check_types() const {
        for (const Tensor& tensor : model_.tensors) {
            const bool is_float = tensor.type == GGML_TYPE_F32;
            const bool decodes = ggml_get_type_traits(static_cast<ggml_type>(tensor.type))->to_float != nullptr;
            if (tensor.n_rows() == 1 ? !is_float : !is_float && !decodes) {
                throw first_.error(fmt::format("tensor {} has type {}, wanted {}: the file is damaged",
                                               printable(tensor.name), tensor.type_name,
                                               tensor.n_rows() == 1 ? "f32" : "a type of weights"));
            }
        }
    }

    void check_attention(int64_t layer) const {
        const std::string blk = fmt::format("blk.{}.", layer);
        const int64_t n_embd = model_.n_embd, n_head = model_.n_head[layer], n_head_kv = model_.n_head_kv[layer];
        const int64_t n_q = model_.n_embd_head_k * n_head;
        const int64_t n_k = model_.n_embd_head_k * n_head_kv, n_v = model_.n_embd_head_v * n_head_kv;
        if (n_head_kv == 0) {  // deci: no attention, or one matrix in its place
            if (n_head > 0) has(blk + "attn_output.weight", {n_embd, n_embd});
            return;
        }
        rules_.wanted(
            !layout_.q_is_n_embd || n_q == n_embd,
            fmt::format("{} heads of {}, wanted {} together, the model's width", n_head, model_.n_embd_head_k, n_embd));
        has(blk + "attn_norm.weight", {n_embd});
        if (model_.find(blk + "attn_qkv.weight") != nullptr) {
            has(blk + "attn_qkv.weight", {n_embd, n_q + n_k + n_v});
        } else {
            has(blk + "attn_q.weight", {n_embd, n_q});
            has(blk + "attn_k.weight", {n_embd, n_k});
            has(blk + "attn_v.weight", {n_embd, n_v});
        }
        has(blk + "attn_output.weight", {n_q, n_embd});
        if (layout_.qk_norm) {
            has(blk + "attn_q_norm.weight", {model_.n_embd_head_k});
            has(blk + "attn_k_norm.weight", {model_.n_embd_head_k});
        }
        if (layout_.post_norms) has(blk + "post_attention_norm.weight", {n_embd});
    }

    void check_feed_forward(int64_t layer) const {
        const std::string blk = fmt::format("blk.{}.", layer);
        const int64_t n_embd = model_.n_embd, n_ff = model_.n_ff[layer];
        if (model_.n_expert > 0) {
            check_expert_tensors(blk, n_ff);
            return;
        }
        if (n_ff == 0 && layout_.layers_vary) return;
        has(blk + "ffn_norm.weight", {n_embd});
        has(blk + "ffn_gate.weight", {n_embd, n_ff});
        has(blk + "ffn_up.weight", {n_embd, n_ff});
        has(blk + "ffn_down.weight", {n_ff, n_embd});
        if (layout_.post_norms) has(blk + "post_ffw_norm.weight", {n_embd});
    }

    void check_expert_tensors(const std::string& blk, int64_t n_ff) const {
        const int64_t n_embd = model_.n_embd, n_expert = model_.n_expert;
        const int64_t n_ff_exp =
            layout_.always_experts ? rules_.integer("expert_feed_forward_length", n_ff / model_.n_expert_used) : n_ff;
        has(blk + "ffn_norm.weight", {n_embd});
        has(blk + "ffn_gate_inp.weight", {n_embd, n_expert});
        has(blk + "ffn_gate_exps.weight", {n_embd, n_ff_exp, n_expert});
        has(blk + "ffn_up_exps.weight", {n_embd, n_ff_exp, n_expert});
        has(blk + "ffn_down_exps.weight", {n_ff_exp, n_embd, n_expert});
    }

    const Model& model_;
    const GgufFile& first_;
    const Layout& layout_;
    Rules rules_;
};

}  // namespace

void check_engine_rules(const Model& model, const GgufFile& first) {
    const Rules rules(model, first);
    check_widths(model, rules);
    check_heads(model, rules);
    check_experts(model, rules);
    check_constants(model, rules);
    check_vocabulary(first);
    if (const Layout* const layout = find_layout(model.architecture)) LayoutRules(model, first, *layout).check();
}

}  // namespace ech0
