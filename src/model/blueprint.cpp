#include "model/blueprint.h"

#include <fmt/format.h>
#include <ggml-cpp.h>
#include <gguf.h>

#include <algorithm>
#include <cctype>

#include "base/file.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "base/toml.h"
#include "ech0/error.h"
#include "embedded/blueprints.h"

namespace ech0 {
namespace {

BlueprintFile read_file(TomlTable& table) {
    BlueprintFile file{table.text("type"), table.integer("size_bytes", 1), table.text("source")};
    table.text_or("note", "");
    table.done();
    return file;
}

void read_shapes(TomlTable& t, Blueprint& b) {
    b.n_params = t.integer("n_params", 1);
    b.n_layer = t.integer("n_layer", 1);
    b.n_embd = t.integer("n_embd", 1);
    b.n_ff = t.integer("n_ff");
    b.n_head = t.integer("n_head", 1);
    b.n_head_kv = t.integer("n_head_kv", 1);
    b.n_embd_head = t.integer("n_embd_head", 1);
    b.n_vocab = t.integer("n_vocab", 1);
    b.n_ctx_train = t.integer("n_ctx_train", 1);
    b.n_rot = t.integer_or("n_rot", b.n_embd_head, 2);
    b.n_swa = t.integer_or("sliding_window", 0);
    b.n_swa_pattern = t.integer_or("sliding_pattern", 0);
    b.n_expert = t.integer_or("n_expert", 0);
    b.n_expert_used = t.integer_or("n_expert_used", 0);
    b.n_ff_expert = t.integer_or("n_ff_expert", 0);
}

Blueprint read_blueprint(TomlTable& t) {
    Blueprint b;
    b.name = t.text("name");
    b.aliases = t.texts("aliases");
    b.title = t.text("title");
    b.family = t.text("family");
    b.architecture = t.text("architecture");
    b.licence = t.text("licence");
    b.source = t.text("source");
    read_shapes(t, b);
    b.tied_embeddings = t.flag_or("tied_embeddings", false);
    b.attention_bias = t.flag_or("attention_bias", false);
    b.qk_norm = t.flag_or("qk_norm", false);
    b.post_norms = t.flag_or("post_norms", false);
    b.fused_qkv = t.flag_or("fused_qkv", false);
    b.rope_factors = t.text_or("rope_factors", "");
    b.rope_freq_base = t.number("rope_freq_base");
    b.rms_eps = t.number("rms_eps");
    b.head_bytes = t.integer("vocabulary_bytes", 1);
    b.head_source = t.text("vocabulary_source");
    for (TomlTable& file : t.tables("file")) b.files.push_back(read_file(file));
    t.done();
    return b;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return std::tolower(c); });
    return result;
}

/// The GGUF being made: keys, and tensors of which only the shape exists.
class Writer {
public:
    Writer(const Blueprint& b, bool has_weights, ggml_type type)
        : b_(b),
          has_weights_(has_weights),
          type_(type),
          gguf_(gguf_init_empty()),
          tensors_(ggml_init({ggml_tensor_overhead() * static_cast<size_t>(16 * b.n_layer + 16), nullptr, true})) {
        set_keys();
        add_tensors();
    }

    void write(const std::filesystem::path& target) const {
        AtomicFile file(target);
        std::vector<char> head(gguf_get_meta_size(gguf_.get()));
        gguf_get_meta_data(gguf_.get(), head.data());
        file.write(head.data(), head.size());
        const int64_t last = gguf_get_n_tensors(gguf_.get()) - 1;
        const size_t end = head.size() + gguf_get_tensor_offset(gguf_.get(), last) +
                           GGML_PAD(gguf_get_tensor_size(gguf_.get(), last), gguf_get_alignment(gguf_.get()));
        std::filesystem::resize_file(file.part(), end);
        file.commit();
    }

private:
    std::string key(std::string_view name) const { return b_.architecture + "." + std::string(name); }
    void text(const std::string& k, const std::string& v) { gguf_set_val_str(gguf_.get(), k.c_str(), v.c_str()); }
    void number(const std::string& k, int64_t v) { gguf_set_val_u32(gguf_.get(), k.c_str(), static_cast<uint32_t>(v)); }
    void number_if(const std::string& k, int64_t v) {
        if (v > 0) number(k, v);
    }
    void real(const std::string& k, double v) { gguf_set_val_f32(gguf_.get(), k.c_str(), static_cast<float>(v)); }

    void set_keys() {
        text("general.architecture", b_.architecture);
        text("general.name", b_.title);
        text("general.license", b_.licence);
        number("general.file_type", 1);  // mostly F16
        if (!has_weights_) {
            text(std::string(blueprint_key), b_.name);
            number(std::string(blueprint_head_key), b_.head_bytes);
        }
        number(key("block_count"), b_.n_layer);
        number(key("context_length"), b_.n_ctx_train);
        number(key("embedding_length"), b_.n_embd);
        number(key("feed_forward_length"), b_.n_ff > 0 ? b_.n_ff : b_.n_ff_expert);
        number(key("attention.head_count"), b_.n_head);
        number(key("attention.head_count_kv"), b_.n_head_kv);
        number(key("attention.key_length"), b_.n_embd_head);
        number(key("attention.value_length"), b_.n_embd_head);
        number(key("rope.dimension_count"), b_.n_rot);
        real(key("rope.freq_base"), b_.rope_freq_base);
        real(key("attention.layer_norm_rms_epsilon"), b_.rms_eps);
        number_if(key("attention.sliding_window"), b_.n_swa);
        number_if(key("expert_count"), b_.n_expert);
        number_if(key("expert_used_count"), b_.n_expert_used);
        number_if(key("expert_feed_forward_length"), b_.n_ff_expert);
        text("tokenizer.ggml.model", "no_vocab");
        number(key("vocab_size"), b_.n_vocab);
    }

    void tensor(const std::string& name, ggml_type type, std::initializer_list<int64_t> shape) {
        ggml_tensor* made = ggml_new_tensor(tensors_.get(), type, static_cast<int>(shape.size()), std::data(shape));
        ggml_set_name(made, name.c_str());
        gguf_add_tensor(gguf_.get(), made);
    }
    void matrix(const std::string& name, int64_t n_cols, int64_t n_rows) {
        tensor(name + ".weight", type_for(n_cols), {n_cols, n_rows});
    }
    ggml_type type_for(int64_t n_cols) const { return n_cols % ggml_blck_size(type_) == 0 ? type_ : GGML_TYPE_F16; }
    void vector(const std::string& name, int64_t n) { tensor(name, GGML_TYPE_F32, {n}); }

    void add_tensors() {
        if (b_.rope_factors == "llama3") vector("rope_freqs.weight", b_.n_rot / 2);
        if (b_.rope_factors == "long") {
            vector("rope_factors_long.weight", b_.n_rot / 2);
            vector("rope_factors_short.weight", b_.n_rot / 2);
        }
        matrix("token_embd", b_.n_embd, b_.n_vocab);
        for (int64_t i = 0; i < b_.n_layer; i++) {
            add_attention(fmt::format("blk.{}.", i));
            add_feed_forward(fmt::format("blk.{}.", i));
        }
        vector("output_norm.weight", b_.n_embd);
        if (!b_.tied_embeddings) matrix("output", b_.n_embd, b_.n_vocab);
    }

    void add_attention(const std::string& blk) {
        const int64_t n_q = b_.n_head * b_.n_embd_head, n_kv = b_.n_head_kv * b_.n_embd_head;
        vector(blk + "attn_norm.weight", b_.n_embd);
        if (b_.fused_qkv) {
            matrix(blk + "attn_qkv", b_.n_embd, n_q + 2 * n_kv);
        } else {
            matrix(blk + "attn_q", b_.n_embd, n_q);
            matrix(blk + "attn_k", b_.n_embd, n_kv);
            matrix(blk + "attn_v", b_.n_embd, n_kv);
        }
        if (b_.attention_bias) {
            vector(blk + "attn_q.bias", n_q);
            vector(blk + "attn_k.bias", n_kv);
            vector(blk + "attn_v.bias", n_kv);
        }
        if (b_.qk_norm) {
            vector(blk + "attn_q_norm.weight", b_.n_embd_head);
            vector(blk + "attn_k_norm.weight", b_.n_embd_head);
        }
        matrix(blk + "attn_output", n_q, b_.n_embd);
        if (b_.post_norms) vector(blk + "post_attention_norm.weight", b_.n_embd);
    }

    void add_feed_forward(const std::string& blk) {
        vector(blk + "ffn_norm.weight", b_.n_embd);
        if (b_.n_expert > 0) {
            tensor(blk + "ffn_gate_inp.weight", GGML_TYPE_F32, {b_.n_embd, b_.n_expert});
            tensor(blk + "ffn_gate_exps.weight", type_for(b_.n_embd), {b_.n_embd, b_.n_ff_expert, b_.n_expert});
            tensor(blk + "ffn_up_exps.weight", type_for(b_.n_embd), {b_.n_embd, b_.n_ff_expert, b_.n_expert});
            tensor(blk + "ffn_down_exps.weight", type_for(b_.n_ff_expert), {b_.n_ff_expert, b_.n_embd, b_.n_expert});
        } else if (b_.fused_qkv) {
            matrix(blk + "ffn_up", b_.n_embd, 2 * b_.n_ff);
            matrix(blk + "ffn_down", b_.n_ff, b_.n_embd);
        } else {
            matrix(blk + "ffn_gate", b_.n_embd, b_.n_ff);
            matrix(blk + "ffn_up", b_.n_embd, b_.n_ff);
            matrix(blk + "ffn_down", b_.n_ff, b_.n_embd);
        }
        if (b_.post_norms) vector(blk + "post_ffw_norm.weight", b_.n_embd);
    }

    const Blueprint& b_;
    bool has_weights_;
    ggml_type type_;
    gguf_context_ptr gguf_;
    ggml_context_ptr tensors_;
};

}  // namespace

const std::vector<Blueprint>& blueprints() {
    static const std::vector<Blueprint> all = [] {
        const TomlDocument document(embedded::blueprints(), "share/blueprints");
        TomlTable root = document.root();
        std::vector<Blueprint> result;
        for (TomlTable& table : root.tables("model")) result.push_back(read_blueprint(table));
        root.done();
        return result;
    }();
    return all;
}

const Blueprint* find_blueprint(std::string_view name) {
    const std::string wanted = lower(name);
    for (const Blueprint& blueprint : blueprints()) {
        if (blueprint.name == wanted) return &blueprint;
        if (std::find(blueprint.aliases.begin(), blueprint.aliases.end(), wanted) != blueprint.aliases.end())
            return &blueprint;
    }
    return nullptr;
}

void write_blueprint(const Blueprint& blueprint, const std::filesystem::path& file) {
    Writer(blueprint, false, GGML_TYPE_F16).write(file);
}

void write_hollow_model(const Blueprint& blueprint, int32_t type, const std::filesystem::path& file) {
    Writer(blueprint, true, static_cast<ggml_type>(type)).write(file);
}

std::filesystem::path blueprint_file(const Blueprint& blueprint) {
    // The descriptions may change with the program; another description is another file.
    const std::string version = sha256(std::string(ECH0_VERSION) + std::string(embedded::blueprints())).substr(0, 12);
    std::string stem = blueprint.name;
    std::replace_if(
        stem.begin(), stem.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '-'; }, '-');
    const std::filesystem::path folder = cache_folder() / "blueprints";
    std::filesystem::path file = folder / fmt::format("{}-{}.gguf", stem, version);
    if (!std::filesystem::exists(file)) {
        std::filesystem::create_directories(folder);
        write_blueprint(blueprint, file);
    }
    return file;
}

}  // namespace ech0
