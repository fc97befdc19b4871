#include "support/tiny_model.h"

#include <cmath>
#include <cstring>
#include <map>
#include <stdexcept>

#include <fmt/format.h>
#include <ggml-cpp.h>
#include <gguf.h>

#include "support/tiny_vocabulary.h"

namespace ech0 {
namespace {

// Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators": the same on every machine, as the
// distributions of <random> are not.
class SplitMix {
public:
    explicit SplitMix(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        return z ^ (z >> 31);
    }
    float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24F; }
    /// Mean 0, variance 1; a sum of three uniform numbers is bell-shaped enough.
    float bell() { return 2 * (uniform() + uniform() + uniform() - 1.5F); }

private:
    uint64_t state_;
};

uint64_t hash_of(const std::string& text) {  // FNV-1a
    uint64_t hash = 0xCBF29CE484222325U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return hash;
}

struct Shape {
    std::string name;
    std::vector<int64_t> sizes;
};

bool is_norm(const std::string& name) { return name.find("_norm.weight") != std::string::npos; }

// What the loaders in llama.cpp's src/models/*.cpp ask for.
class Shapes {
public:
    explicit Shapes(const TinyModel& model) : m_(model) {
        const int64_t n_vocab = std::max(m_.n_vocab, tiny_vocabulary_size(m_.architecture));
        add("token_embd.weight", {m_.n_embd, n_vocab});
        add("output_norm.weight", {m_.n_embd});
        if (!m_.tied) add("output.weight", {m_.n_embd, n_vocab});
        for (int64_t layer = 0; layer < m_.n_layer; layer++) {
            blk_ = fmt::format("blk.{}.", layer);
            add_attention(m_.n_embd_head * m_.head_count(layer), m_.n_embd_head * m_.head_count_kv(layer));
            add_feed_forward(m_.feed_forward_length(layer));
        }
    }
    const std::vector<Shape>& list() const { return list_; }

private:
    void add(const std::string& name, std::vector<int64_t> sizes) { list_.push_back({name, std::move(sizes)}); }

    void add_attention(int64_t n_q, int64_t n_kv) {
        if (n_kv == 0) return;
        add(blk_ + "attn_norm.weight", {m_.n_embd});
        add(blk_ + "attn_q.weight", {m_.n_embd, n_q});
        add(blk_ + "attn_k.weight", {m_.n_embd, n_kv});
        add(blk_ + "attn_v.weight", {m_.n_embd, n_kv});
        add(blk_ + "attn_output.weight", {n_q, m_.n_embd});
        if (m_.architecture == "qwen2") {
            add(blk_ + "attn_q.bias", {n_q});
            add(blk_ + "attn_k.bias", {n_kv});
            add(blk_ + "attn_v.bias", {n_kv});
        }
        if (m_.architecture.starts_with("qwen3") || m_.architecture == "gemma3") {
            add(blk_ + "attn_q_norm.weight", {m_.n_embd_head});
            add(blk_ + "attn_k_norm.weight", {m_.n_embd_head});
        }
        if (m_.architecture == "gemma3") add(blk_ + "post_attention_norm.weight", {m_.n_embd});
    }

    void add_feed_forward(int64_t n_ff) {
        if (n_ff == 0) return;
        add(blk_ + "ffn_norm.weight", {m_.n_embd});
        if (m_.n_expert > 0) {
            add(blk_ + "ffn_gate_inp.weight", {m_.n_embd, m_.n_expert});
            add(blk_ + "ffn_gate_exps.weight", {m_.n_embd, n_ff, m_.n_expert});
            add(blk_ + "ffn_up_exps.weight", {m_.n_embd, n_ff, m_.n_expert});
            add(blk_ + "ffn_down_exps.weight", {n_ff, m_.n_embd, m_.n_expert});
            return;
        }
        add(blk_ + "ffn_gate.weight", {m_.n_embd, n_ff});
        add(blk_ + "ffn_up.weight", {m_.n_embd, n_ff});
        add(blk_ + "ffn_down.weight", {n_ff, m_.n_embd});
        if (m_.architecture == "gemma3") add(blk_ + "post_ffw_norm.weight", {m_.n_embd});
    }

    const TinyModel& m_;
    std::string blk_;
    std::vector<Shape> list_;
};

TinyVocabulary vocabulary_of(const std::string& architecture) {
    if (architecture == "gemma3") return make_sentencepiece_vocabulary();
    return make_bpe_vocabulary(architecture.starts_with("qwen") ? "qwen2" : "smollm");
}

void set_strings(gguf_context* gguf, const char* key, const std::vector<std::string>& values) {
    std::vector<const char*> pointers;
    pointers.reserve(values.size());
    for (const std::string& value : values) pointers.push_back(value.c_str());
    gguf_set_arr_str(gguf, key, pointers.data(), pointers.size());
}

void set_vocabulary(gguf_context* gguf, const TinyVocabulary& vocabulary) {
    gguf_set_val_str(gguf, "tokenizer.ggml.model", vocabulary.model.c_str());
    gguf_set_val_str(gguf, "tokenizer.ggml.pre", vocabulary.pre.c_str());
    set_strings(gguf, "tokenizer.ggml.tokens", vocabulary.tokens);
    gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, vocabulary.types.data(),
                      vocabulary.types.size());
    if (!vocabulary.merges.empty()) set_strings(gguf, "tokenizer.ggml.merges", vocabulary.merges);
    if (!vocabulary.scores.empty()) {
        gguf_set_arr_data(gguf, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, vocabulary.scores.data(),
                          vocabulary.scores.size());
    }
    gguf_set_val_u32(gguf, "tokenizer.ggml.bos_token_id", vocabulary.bos);
    gguf_set_val_u32(gguf, "tokenizer.ggml.eos_token_id", vocabulary.eos);
    gguf_set_val_bool(gguf, "tokenizer.ggml.add_bos_token", vocabulary.add_bos);
    gguf_set_val_str(gguf, "tokenizer.chat_template", vocabulary.chat_template.c_str());
}

void set_per_layer(gguf_context* gguf, const TinyModel& model, const std::string& key, bool varies,
                   int64_t (TinyModel::*value)(int64_t) const) {
    std::vector<uint32_t> values;
    for (int64_t i = 0; i < model.n_layer; i++) values.push_back(static_cast<uint32_t>((model.*value)(i)));
    const std::string full = model.architecture + "." + key;
    if (varies) {
        gguf_set_arr_data(gguf, full.c_str(), GGUF_TYPE_UINT32, values.data(), values.size());
    } else {
        gguf_set_val_u32(gguf, full.c_str(), values.front());
    }
}

void set_keys(gguf_context* gguf, const TinyModel& model) {
    const auto set = [&](const std::string& key, int64_t value) {
        gguf_set_val_u32(gguf, (model.architecture + "." + key).c_str(), static_cast<uint32_t>(value));
    };
    gguf_set_val_str(gguf, "general.architecture", model.architecture.c_str());
    gguf_set_val_str(gguf, "general.name", ("tiny " + model.architecture).c_str());
    gguf_set_val_str(gguf, "general.license", "mit");
    set("block_count", model.n_layer);
    set("context_length", model.n_ctx_train);
    set("embedding_length", model.n_embd);
    set_per_layer(gguf, model, "feed_forward_length", !model.n_ff_of_layer.empty(), &TinyModel::feed_forward_length);
    set_per_layer(gguf, model, "attention.head_count", !model.n_head_of_layer.empty(), &TinyModel::head_count);
    set_per_layer(gguf, model, "attention.head_count_kv", !model.n_head_kv_of_layer.empty(), &TinyModel::head_count_kv);
    set("attention.key_length", model.n_embd_head);
    set("attention.value_length", model.n_embd_head);
    set("rope.dimension_count", model.n_embd_head);
    gguf_set_val_f32(gguf, (model.architecture + ".attention.layer_norm_rms_epsilon").c_str(), 1e-6F);
    if (model.architecture == "gemma3") set("attention.sliding_window", model.n_swa);
    if (model.n_expert > 0) {
        set("expert_count", model.n_expert);
        set("expert_used_count", model.n_expert_used);
        set("expert_feed_forward_length", model.n_ff);
    }
    TinyVocabulary vocabulary = vocabulary_of(model.architecture);
    for (auto n = static_cast<int64_t>(vocabulary.tokens.size()); n < model.n_vocab; n++) {
        vocabulary.tokens.push_back(fmt::format("<unused{}>", n));
        vocabulary.types.push_back(5);  // LLAMA_TOKEN_TYPE_UNUSED
        if (!vocabulary.scores.empty()) vocabulary.scores.push_back(-1e6F);
    }
    set_vocabulary(gguf, vocabulary);
}

std::vector<float> random_values(const Shape& shape, uint64_t seed) {
    int64_t count = 1;
    for (const int64_t size : shape.sizes) count *= size;
    const bool matrix = shape.sizes.size() > 1;
    // Rows of a length that keeps activations of order one; logits of a spread that tells tokens apart.
    const float scale = matrix ? (shape.name == "token_embd.weight" || shape.name == "output.weight" ? 2.0F : 1.0F) /
                                     std::sqrt(static_cast<float>(shape.sizes[0]))
                               : 0.1F;
    SplitMix random(seed ^ hash_of(shape.name));
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = (is_norm(shape.name) ? 1.0F : 0.0F) + scale * random.bell();
    return values;
}

using Weights = std::map<std::string, std::vector<std::byte>>;

std::vector<std::byte> make_weights(ggml_type type, const Shape& shape, uint64_t seed) {
    const std::vector<float> values = random_values(shape, seed);
    const auto n_rows = static_cast<int64_t>(values.size()) / shape.sizes[0];
    std::vector<std::byte> bytes(ggml_row_size(type, shape.sizes[0]) * static_cast<size_t>(n_rows));
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, n_rows, shape.sizes[0], nullptr);
    return bytes;
}

/// "blk.7.ffn_up.weight" is that of layer 0 if all layers are the same.
std::string first_of_its_kind(const std::string& name, const TinyModel& model) {
    if (!model.same_layers || !name.starts_with("blk.")) return name;
    return "blk.0" + name.substr(name.find('.', 4));
}

ggml_context_ptr make_tensors(const std::vector<Shape>& shapes, const TinyModel& model, Weights& weights) {
    ggml_context_ptr context(ggml_init({ggml_tensor_overhead() * (shapes.size() + 1), nullptr, true}));
    for (const Shape& shape : shapes) {
        const ggml_type type = shape.sizes.size() > 1 ? model.type : GGML_TYPE_F32;
        ggml_tensor* const tensor =
            ggml_new_tensor(context.get(), type, static_cast<int>(shape.sizes.size()), shape.sizes.data());
        ggml_set_name(tensor, shape.name.c_str());
        const std::string kind = first_of_its_kind(shape.name, model);
        auto found = weights.find(kind);
        if (found == weights.end())
            found = weights.emplace(kind, make_weights(type, {kind, shape.sizes}, model.seed)).first;
        tensor->data = found->second.data();
    }
    return context;
}

void write_gguf(gguf_context* gguf, const std::vector<Shape>& shapes, const TinyModel& model,
                const std::filesystem::path& file) {
    Weights weights;
    const ggml_context_ptr tensors = make_tensors(shapes, model, weights);
    for (ggml_tensor* tensor = ggml_get_first_tensor(tensors.get()); tensor != nullptr;
         tensor = ggml_get_next_tensor(tensors.get(), tensor)) {
        gguf_add_tensor(gguf, tensor);
    }
    if (!gguf_write_to_file(gguf, file.c_str(), false)) throw std::runtime_error("write " + file.string());
}

}  // namespace

int64_t tiny_vocabulary_size(const std::string& architecture) {
    return static_cast<int64_t>(vocabulary_of(architecture).tokens.size());
}

void write_tiny_model(const TinyModel& model, const std::filesystem::path& file) {
    const gguf_context_ptr gguf(gguf_init_empty());
    set_keys(gguf.get(), model);
    write_gguf(gguf.get(), Shapes(model).list(), model, file);
}

std::vector<std::filesystem::path> write_tiny_model_parts(const TinyModel& model, const std::filesystem::path& folder,
                                                          const std::string& name, int n_parts) {
    const std::vector<Shape> shapes = Shapes(model).list();
    const size_t n_each = (shapes.size() + static_cast<size_t>(n_parts) - 1) / static_cast<size_t>(n_parts);
    std::vector<std::filesystem::path> parts;
    for (int part = 0; part < n_parts; part++) {
        const gguf_context_ptr gguf(gguf_init_empty());
        if (part == 0) set_keys(gguf.get(), model);
        gguf_set_val_u16(gguf.get(), "split.no", static_cast<uint16_t>(part));
        gguf_set_val_u16(gguf.get(), "split.count", static_cast<uint16_t>(n_parts));
        gguf_set_val_i32(gguf.get(), "split.tensors.count", static_cast<int32_t>(shapes.size()));
        const size_t begin = std::min(shapes.size(), n_each * static_cast<size_t>(part));
        const size_t end = std::min(shapes.size(), begin + n_each);
        parts.push_back(folder / fmt::format("{}-{:05}-of-{:05}.gguf", name, part + 1, n_parts));
        write_gguf(
            gguf.get(),
            {shapes.begin() + static_cast<std::ptrdiff_t>(begin), shapes.begin() + static_cast<std::ptrdiff_t>(end)},
            model, parts.back());
    }
    return parts;
}

}  // namespace ech0
