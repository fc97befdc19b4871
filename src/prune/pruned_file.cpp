#include "prune/pruned_file.h"

#include <fmt/format.h>
#include <ggml-cpp.h>
#include <gguf.h>

#include <map>
#include <vector>

#include "base/file.h"
#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

using Indices = std::vector<int64_t>;

/// One tensor of the pruned file: which rows and columns of which tensor.
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

std::vector<Piece> pieces_of(const Model& model, const Structure& structure) {
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
    }
    return pieces;
}

/// A one-dimensional tensor is one row whose columns are picked.
void straighten(Piece& piece) {
    if (piece.source->shape.size() == 1) std::swap(piece.rows, piece.columns);
}

std::vector<std::byte> cut(const Source& source, const Piece& piece) {
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

/// Keys "qwen2.…" become "deci.…".
void rename_architecture(gguf_context* gguf, const gguf_context* source, const std::string& from) {
    const std::string prefix = from + ".";
    for (int64_t i = 0; i < gguf_get_n_kv(source); i++) {
        const std::string key = gguf_get_key(source, i);
        if (!key.starts_with(prefix)) continue;
        gguf_remove_key(gguf, key.c_str());
        copy_value(gguf, ("deci." + key.substr(prefix.size())).c_str(), source, i);
    }
    gguf_set_val_str(gguf, "general.architecture", "deci");
}

void set_widths(gguf_context* gguf, const Model& model, const Structure& structure) {
    std::vector<uint32_t> heads, kv_heads, channels;
    for (const KeptLayer& l : structure.layers) {
        const auto at = static_cast<size_t>(l.layer);
        const auto n_kv = static_cast<uint32_t>(l.kv_heads.size());
        heads.push_back(n_kv > 0 ? n_kv * static_cast<uint32_t>(model.n_head[at] / model.n_head_kv[at]) : 0);
        kv_heads.push_back(n_kv);
        channels.push_back(static_cast<uint32_t>(l.channels.size()));
    }
    const auto head = static_cast<uint32_t>(model.n_embd_head_k);
    gguf_set_val_u32(gguf, "deci.block_count", static_cast<uint32_t>(structure.layers.size()));
    gguf_set_arr_data(gguf, "deci.attention.head_count", GGUF_TYPE_UINT32, heads.data(), heads.size());
    gguf_set_arr_data(gguf, "deci.attention.head_count_kv", GGUF_TYPE_UINT32, kv_heads.data(), kv_heads.size());
    gguf_set_arr_data(gguf, "deci.feed_forward_length", GGUF_TYPE_UINT32, channels.data(), channels.size());
    for (const char* key : {"deci.attention.key_length", "deci.attention.value_length", "deci.rope.dimension_count"})
        gguf_set_val_u32(gguf, key, head);
}

}  // namespace

void write_pruned(const Source& source, const Structure& structure, const Repaired& repaired, const std::string& recipe,
                  const std::filesystem::path& target) {
    const Model& model = source.model();
    check_prunable(model);
    check_runnable(structure);
    const gguf_context_ptr original(gguf_init_from_file(model.files.front().string().c_str(), {true, nullptr}));
    if (!original) throw engine_error("read the metadata of " + model.files.front().string());
    const gguf_context_ptr gguf(gguf_init_empty());
    gguf_set_kv(gguf.get(), original.get());
    for (const char* key : {"split.no", "split.count", "split.tensors.count"}) gguf_remove_key(gguf.get(), key);
    rename_architecture(gguf.get(), original.get(), model.architecture);
    set_widths(gguf.get(), model, structure);
    gguf_set_val_str(gguf.get(), "ech0.recipe", recipe.c_str());
    gguf_set_val_str(gguf.get(), "ech0.source.name", model.files.front().filename().string().c_str());

    std::vector<Piece> pieces = pieces_of(model, structure);
    for (Piece& piece : pieces) straighten(piece);
    const ggml_context_ptr tensors(ggml_init({ggml_tensor_overhead() * (pieces.size() + 1), nullptr, true}));
    for (const Piece& piece : pieces) {
        int64_t shape[GGML_MAX_DIMS] = {1, 1, 1, 1};
        for (size_t d = 0; d < piece.source->shape.size(); d++) shape[d] = piece.source->shape[d];
        if (!piece.columns.empty()) shape[0] = static_cast<int64_t>(piece.columns.size());
        if (!piece.rows.empty()) shape[1] = static_cast<int64_t>(piece.rows.size());
        ggml_tensor* tensor = ggml_new_tensor(tensors.get(), plain_type(*piece.source),
                                              static_cast<int>(piece.source->shape.size()), shape);
        ggml_set_name(tensor, piece.name.c_str());
        gguf_add_tensor(gguf.get(), tensor);
    }
    AtomicFile file(target);
    std::vector<char> head(gguf_get_meta_size(gguf.get()));
    gguf_get_meta_data(gguf.get(), head.data());
    file.write(head.data(), head.size());
    for (size_t i = 0; i < pieces.size(); i++) {
        check_interrupt();
        const std::span<const std::byte> known = repaired ? repaired(pieces[i].name) : std::span<const std::byte>();
        if (!known.empty()) {
            if (known.size() != gguf_get_tensor_size(gguf.get(), static_cast<int64_t>(i)))
                throw Error(
                    fmt::format("tensor {}: {} bytes repaired, another number planned", pieces[i].name, known.size()));
            file.write(known.data(), known.size());
        } else {
            const std::vector<std::byte> bytes = cut(source, pieces[i]);
            file.write(bytes.data(), bytes.size());
        }
        source.release(*pieces[i].source);
        file.pad_to(static_cast<int64_t>(gguf_get_alignment(gguf.get())));
    }
    file.commit();
}

}  // namespace ech0
