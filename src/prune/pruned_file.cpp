#include "prune/pruned_file.h"

#include <fmt/format.h>
#include <ggml-cpp.h>
#include <gguf.h>

#include <algorithm>
#include <vector>

#include "ech0/error.h"
#include "runtime/ggml_types.h"
#include "runtime/gguf_output.h"

namespace ech0 {
namespace {

using Indices = std::vector<int64_t>;

/// One tensor of the pruned file: which rows and columns of which tensor; of none: a bias of zeros.
struct Piece {
    std::string name;
    const Tensor* source = nullptr;
    Indices rows, columns;  // empty: all
};

/// Rows of queries, keys or values: whole heads, in the order that the target's RoPE wants.
Indices head_rows(const std::vector<int32_t>& kv_heads, int64_t per_kv_head, int64_t n, bool halves_to_pairs) {
    Indices rows;
    for (const int32_t kv : kv_heads)
        for (int64_t h = kv * per_kv_head; h < (kv + 1) * per_kv_head; h++)
            for (int64_t k = 0; k < n; k++) rows.push_back(h * n + (halves_to_pairs ? k / 2 + (k % 2) * (n / 2) : k));
    return rows;
}

Piece piece_of(const Model& model, const KeptLayer& kept, const Tensor& t, const std::string& name) {
    const auto at = static_cast<size_t>(kept.layer);
    const int64_t head = model.n_embd_head_k;
    const int64_t group = model.n_head_kv[at] > 0 ? model.n_head[at] / model.n_head_kv[at] : 0;
    const bool turn = model.architecture == "qwen2";
    const Indices channels(kept.channels.begin(), kept.channels.end());
    const auto has = [&](const char* part) { return t.name.find(part) != std::string::npos; };
    if (has(".attn_q.")) return {name, &t, head_rows(kept.kv_heads, group, head, turn), {}};
    if (has(".attn_k.")) return {name, &t, head_rows(kept.kv_heads, 1, head, turn), {}};
    if (has(".attn_v.")) return {name, &t, head_rows(kept.kv_heads, 1, head, false), {}};
    if (has(".attn_output.weight")) return {name, &t, {}, head_rows(kept.kv_heads, group, head, false)};
    if (has(".ffn_gate.") || has(".ffn_up.")) return {name, &t, channels, {}};
    if (has(".ffn_down.weight")) return {name, &t, {}, channels};
    return {name, &t, {}, {}};  // norms, biases of outputs
}

/// Biases of a layer's outputs that the source has not.
void add_output_biases(const Model& model, const KeptLayer& kept, size_t j, std::vector<Piece>& pieces) {
    const auto add = [&](const char* part) {
        if (model.find(fmt::format("blk.{}.{}", kept.layer, part)) == nullptr)
            pieces.push_back({fmt::format("blk.{}.{}", j, part), nullptr, {}, {}});
    };
    if (!kept.kv_heads.empty()) add("attn_output.bias");
    if (!kept.channels.empty()) add("ffn_down.bias");
}

std::vector<Piece> pieces_of(const Model& model, const Structure& structure, bool output_biases) {
    std::vector<Piece> pieces;
    for (const Tensor& t : model.tensors)
        if (!t.name.starts_with("blk.")) pieces.push_back({t.name, &t, {}, {}});
    for (size_t j = 0; j < structure.layers.size(); j++) {
        const KeptLayer& kept = structure.layers[j];
        const std::string prefix = fmt::format("blk.{}.", kept.layer);
        for (const Tensor& t : model.tensors) {
            if (!t.name.starts_with(prefix)) continue;
            const bool attention = t.name.find(".attn_") != std::string::npos;
            if (attention ? kept.kv_heads.empty() : kept.channels.empty()) continue;
            pieces.push_back(piece_of(model, kept, t, fmt::format("blk.{}.{}", j, t.name.substr(prefix.size()))));
        }
        if (output_biases) add_output_biases(model, kept, j, pieces);
    }
    return pieces;
}

/// A one-dimensional tensor is one row whose columns are picked.
void straighten(Piece& piece) {
    if (piece.source != nullptr && piece.source->shape.size() == 1) std::swap(piece.rows, piece.columns);
}

std::vector<std::byte> cut(const Source& source, const Piece& piece) {
    if (piece.source == nullptr)
        return std::vector<std::byte>(static_cast<size_t>(source.model().n_embd) * sizeof(float));
    const Tensor& t = *piece.source;
    const ggml_type type = plain_type(t);
    const int64_t n_rows = piece.rows.empty() ? t.n_rows() : static_cast<int64_t>(piece.rows.size());
    const int64_t n_cols = piece.columns.empty() ? t.n_cols() : static_cast<int64_t>(piece.columns.size());
    const size_t row_bytes = ggml_row_size(type, n_cols);
    std::vector<std::byte> bytes(row_bytes * static_cast<size_t>(n_rows));
    std::vector<float> row(static_cast<size_t>(t.n_cols())), some(static_cast<size_t>(n_cols));
    for (int64_t r = 0; r < n_rows; r++) {
        source.rows(t, piece.rows.empty() ? r : piece.rows[static_cast<size_t>(r)], 1, row.data());
        for (int64_t j = 0; j < n_cols; j++) {
            const auto at = static_cast<size_t>(j);
            some[at] = row[piece.columns.empty() ? at : static_cast<size_t>(piece.columns[at])];
        }
        from_float(type, some.data(), bytes.data() + static_cast<size_t>(r) * row_bytes, n_cols);
    }
    return bytes;
}

void copy_value(gguf_context* to, const char* key, const gguf_context* from, int64_t id) {
    switch (gguf_get_kv_type(from, id)) {
        case GGUF_TYPE_UINT8: gguf_set_val_u8(to, key, gguf_get_val_u8(from, id)); break;
        case GGUF_TYPE_INT8: gguf_set_val_i8(to, key, gguf_get_val_i8(from, id)); break;
        case GGUF_TYPE_UINT16: gguf_set_val_u16(to, key, gguf_get_val_u16(from, id)); break;
        case GGUF_TYPE_INT16: gguf_set_val_i16(to, key, gguf_get_val_i16(from, id)); break;
        case GGUF_TYPE_UINT32: gguf_set_val_u32(to, key, gguf_get_val_u32(from, id)); break;
        case GGUF_TYPE_INT32: gguf_set_val_i32(to, key, gguf_get_val_i32(from, id)); break;
        case GGUF_TYPE_UINT64: gguf_set_val_u64(to, key, gguf_get_val_u64(from, id)); break;
        case GGUF_TYPE_INT64: gguf_set_val_i64(to, key, gguf_get_val_i64(from, id)); break;
        case GGUF_TYPE_FLOAT32: gguf_set_val_f32(to, key, gguf_get_val_f32(from, id)); break;
        case GGUF_TYPE_FLOAT64: gguf_set_val_f64(to, key, gguf_get_val_f64(from, id)); break;
        case GGUF_TYPE_BOOL: gguf_set_val_bool(to, key, gguf_get_val_bool(from, id)); break;
        case GGUF_TYPE_STRING: gguf_set_val_str(to, key, gguf_get_val_str(from, id)); break;
        default: break;  // arrays of an architecture's keys are per layer, and written anew
    }
}

/// Keys "qwen2.…" become "deci.…" or "llama.…".
void rename_architecture(gguf_context* gguf, const gguf_context* source, const std::string& from,
                         const std::string& to) {
    const std::string prefix = from + ".";
    for (int64_t i = 0; i < gguf_get_n_kv(source); i++) {
        const std::string key = gguf_get_key(source, i);
        if (!key.starts_with(prefix)) continue;
        gguf_remove_key(gguf, key.c_str());
        copy_value(gguf, (to + "." + key.substr(prefix.size())).c_str(), source, i);
    }
    gguf_set_val_str(gguf, "general.architecture", to.c_str());
}

/// Query heads that a layer keeps with its KV heads.
uint32_t n_head_kept(const Model& model, const KeptLayer& l) {
    const auto at = static_cast<size_t>(l.layer);
    const int64_t group = model.n_head_kv[at] > 0 ? model.n_head[at] / model.n_head_kv[at] : 0;
    return static_cast<uint32_t>(group * static_cast<int64_t>(l.kv_heads.size()));
}

void set_widths(gguf_context* gguf, const Model& model, const Structure& structure, const std::string& architecture) {
    std::vector<uint32_t> heads, kv_heads, channels;
    for (const KeptLayer& l : structure.layers) {
        heads.push_back(n_head_kept(model, l));
        kv_heads.push_back(static_cast<uint32_t>(l.kv_heads.size()));
        channels.push_back(static_cast<uint32_t>(l.channels.size()));
    }
    const auto set = [&](const char* part, const std::vector<uint32_t>& of_layers) {
        const std::string key = architecture + "." + part;
        if (architecture == "llama")
            gguf_set_val_u32(gguf, key.c_str(), of_layers.front());
        else
            gguf_set_arr_data(gguf, key.c_str(), GGUF_TYPE_UINT32, of_layers.data(), of_layers.size());
    };
    set("attention.head_count", heads);
    set("attention.head_count_kv", kv_heads);
    set("feed_forward_length", channels);
    gguf_set_val_u32(gguf, (architecture + ".block_count").c_str(), static_cast<uint32_t>(structure.layers.size()));
    for (const char* part : {"attention.key_length", "attention.value_length", "rope.dimension_count"})
        gguf_set_val_u32(gguf, (architecture + "." + part).c_str(), static_cast<uint32_t>(model.n_embd_head_k));
}

/// The pieces as tensors of the file, without data.
ggml_context_ptr add_tensors(gguf_context* gguf, const Model& model, const std::vector<Piece>& pieces) {
    ggml_context_ptr tensors(ggml_init({ggml_tensor_overhead() * (pieces.size() + 1), nullptr, true}));
    for (const Piece& piece : pieces) {
        int64_t shape[GGML_MAX_DIMS] = {1, 1, 1, 1};
        const std::vector<int64_t> of_source = piece.source ? piece.source->shape : std::vector{model.n_embd};
        std::copy(of_source.begin(), of_source.end(), shape);
        if (!piece.columns.empty()) shape[0] = static_cast<int64_t>(piece.columns.size());
        if (!piece.rows.empty()) shape[1] = static_cast<int64_t>(piece.rows.size());
        ggml_tensor* tensor = ggml_new_tensor(tensors.get(), piece.source ? plain_type(*piece.source) : GGML_TYPE_F32,
                                              static_cast<int>(of_source.size()), shape);
        ggml_set_name(tensor, piece.name.c_str());
        gguf_add_tensor(gguf, tensor);
    }
    return tensors;
}

}  // namespace

std::string architecture_of(const Structure& structure) {
    const KeptLayer& first = structure.layers.front();
    const bool alike = std::all_of(structure.layers.begin(), structure.layers.end(), [&](const KeptLayer& l) {
        return l.kv_heads.size() == first.kv_heads.size() && l.channels.size() == first.channels.size();
    });
    return alike ? "llama" : "deci";
}

void write_pruned(const Source& source, const Structure& structure, const PrunedForm& form, const Repaired& repaired,
                  const std::filesystem::path& target) {
    const Model& model = source.model();
    check_prunable(model);
    check_runnable(structure);
    const gguf_context_ptr original = copied_keys(model), gguf = copied_keys(model);
    rename_architecture(gguf.get(), original.get(), model.architecture, form.architecture);
    set_widths(gguf.get(), model, structure, form.architecture);
    gguf_set_val_str(gguf.get(), "ech0.recipe", form.recipe.c_str());
    set_proof(gguf.get(), "read again, index checked, run by the engine");
    gguf_set_val_str(gguf.get(), "ech0.source.name", model.files.front().filename().string().c_str());

    std::vector<Piece> pieces = pieces_of(model, structure, form.output_biases);
    for (Piece& piece : pieces) straighten(piece);
    const ggml_context_ptr tensors = add_tensors(gguf.get(), model, pieces);
    const auto read = [&](size_t i, std::vector<std::byte>& scratch) {
        const std::span<const std::byte> known = repaired ? repaired(pieces[i].name) : std::span<const std::byte>();
        if (!known.empty()) return known;
        scratch = cut(source, pieces[i]);
        if (pieces[i].source != nullptr) source.release(*pieces[i].source);
        return std::span<const std::byte>(scratch);
    };
    write_gguf(gguf.get(), read, target);
}

}  // namespace ech0
