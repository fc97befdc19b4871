#include "runtime/segment_metadata.h"

#include <fmt/format.h>
#include <gguf.h>

#include <cstring>
#include <string>
#include <vector>

#include "ech0/error.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

// Rows of the embedding of a segment that neither reads tokens nor writes logits; the engine wants some.
constexpr uint32_t stub_n_vocab = 32;

std::vector<std::string> keys_of(const gguf_context* gguf) {
    std::vector<std::string> keys;
    for (int64_t i = 0; i < gguf_get_n_kv(gguf); i++) keys.emplace_back(gguf_get_key(gguf, i));
    return keys;
}

/// The engine needs no tokenizer to run hidden states, and a vocabulary of 150,000 strings per segment is waste.
void drop_tokenizer(gguf_context* gguf, const Model& model, uint32_t n_vocab) {
    for (const std::string& key : keys_of(gguf))
        if (key.starts_with("tokenizer.") || key.starts_with("split.")) gguf_remove_key(gguf, key.c_str());
    gguf_set_val_str(gguf, "tokenizer.ggml.model", "no_vocab");
    gguf_set_val_u32(gguf, (model.architecture + ".vocab_size").c_str(), n_vocab);
}

/// Per-layer arrays (head counts of deci, sliding-window patterns) are cut to the layers that stay.
void cut_arrays(gguf_context* gguf, const Model& model, const SegmentRange& range) {
    for (const std::string& key : keys_of(gguf)) {
        const int64_t id = gguf_find_key(gguf, key.c_str());
        if (!key.starts_with(model.architecture + ".") || gguf_get_kv_type(gguf, id) != GGUF_TYPE_ARRAY) continue;
        const gguf_type type = gguf_get_arr_type(gguf, id);
        if (static_cast<int64_t>(gguf_get_arr_n(gguf, id)) != model.n_layer || type == GGUF_TYPE_STRING ||
            type == GGUF_TYPE_ARRAY)
            continue;
        const size_t item = type == GGUF_TYPE_BOOL || type == GGUF_TYPE_UINT8 || type == GGUF_TYPE_INT8        ? 1
                            : type == GGUF_TYPE_UINT16 || type == GGUF_TYPE_INT16                              ? 2
                            : type == GGUF_TYPE_UINT64 || type == GGUF_TYPE_INT64 || type == GGUF_TYPE_FLOAT64 ? 8
                                                                                                               : 4;
        const auto n = static_cast<size_t>(range.last - range.first + 1);
        std::vector<char> part(n * item);
        std::memcpy(part.data(),
                    static_cast<const char*>(gguf_get_arr_data(gguf, id)) + static_cast<size_t>(range.first) * item,
                    part.size());
        gguf_set_arr_data(gguf, key.c_str(), type, part.data(), n);
    }
}

/// Gemma 3 decides by layer index which layers see a sliding window only: all but every `period`-th.
void keep_window_phase(gguf_context* gguf, const Model& model, const SegmentRange& range) {
    if (model.architecture != "gemma3") return;
    const std::string key = "gemma3.attention.sliding_window_pattern";
    const int64_t id = gguf_find_key(gguf, key.c_str());
    if (id >= 0 && gguf_get_kv_type(gguf, id) == GGUF_TYPE_ARRAY) return;  // cut with the other arrays
    const int64_t period = id >= 0 ? gguf_get_val_u32(gguf, id) : 6;       // the engine's own default
    if (period == 0 || range.first % period == 0) return;                  // same phase
    const auto windowed = [&](int64_t layer) { return layer % period < period - 1; };
    for (int64_t layer = range.first; layer <= range.last; layer++)
        if (windowed(layer) != windowed(range.first))
            throw UsageError(fmt::format("layers {} to {} mix window kinds; begin at a multiple of {}", range.first,
                                         range.last, period));
    // In the engine's words: period 0 = every layer windowed, a window of 0 = none is.
    if (windowed(range.first))
        gguf_set_val_u32(gguf, key.c_str(), 0);
    else
        gguf_set_val_u32(gguf, "gemma3.attention.sliding_window", 0);
}

void add_tensor(SegmentMetadata& out, const std::string& name, ggml_type type, const Tensor& like, int64_t n_rows) {
    int64_t ne[GGML_MAX_DIMS] = {1, 1, 1, 1};
    for (size_t d = 0; d < like.shape.size() && d < GGML_MAX_DIMS; d++) ne[d] = like.shape[d];
    if (n_rows > 0) ne[1] = n_rows;
    ggml_tensor* tensor =
        ggml_new_tensor(out.tensors.get(), type, static_cast<int>(std::max<size_t>(like.shape.size(), 1)), ne);
    ggml_set_name(tensor, name.c_str());
    gguf_add_tensor(out.gguf.get(), tensor);
}

void add_layers(SegmentMetadata& out, const Model& model, const SegmentRange& range, const Weights& weights) {
    for (const Tensor& tensor : model.tensors) {
        if (!tensor.name.starts_with("blk.")) continue;
        const size_t dot = tensor.name.find('.', 4);
        const int64_t layer = std::stoll(tensor.name.substr(4, dot - 4));
        if (layer < range.first || layer > range.last) continue;
        add_tensor(out, fmt::format("blk.{}{}", layer - range.first, tensor.name.substr(dot)), weights.type(tensor),
                   tensor, 0);
    }
}

/// Embedding, output norm, output, and what else stands outside the layers.
void add_ends(SegmentMetadata& out, const Model& model, const SegmentRange& range, const Weights& weights,
              int64_t n_vocab) {
    for (const Tensor& tensor : model.tensors) {
        if (tensor.name.starts_with("blk.")) continue;
        const bool per_token = tensor.name == "token_embd.weight" || tensor.name == "output.weight";
        const bool used = tensor.name == "token_embd.weight" ? range.from_tokens : range.with_head;
        // An embedding that is not read still takes memory: give it the smallest type its rows allow.
        const ggml_type unused = tensor.n_cols() % ggml_blck_size(GGML_TYPE_Q4_0) == 0 ? GGML_TYPE_Q4_0 : GGML_TYPE_F16;
        add_tensor(out, tensor.name, used || !per_token ? weights.type(tensor) : unused, tensor,
                   per_token ? n_vocab : 0);
        if (tensor.name == "token_embd.weight" && range.with_head && model.tied_embeddings)
            add_tensor(out, "output.weight", weights.type(tensor), tensor, n_vocab);
    }
}

}  // namespace

SegmentMetadata segment_metadata(const Model& model, const SegmentRange& range, const Weights& weights) {
    const gguf_init_params no_data = {true, nullptr};
    const gguf_context_ptr source(gguf_init_from_file(model.files.front().string().c_str(), no_data));
    if (!source) throw engine_error("read the metadata of " + model.files.front().string());

    SegmentMetadata out;
    out.gguf.reset(gguf_init_empty());
    out.tensors.reset(ggml_init({ggml_tensor_overhead() * (model.tensors.size() + 1), nullptr, true}));
    gguf_set_kv(out.gguf.get(), source.get());
    const int64_t n_vocab = range.from_tokens || range.with_head ? model.n_vocab : stub_n_vocab;
    drop_tokenizer(out.gguf.get(), model, static_cast<uint32_t>(n_vocab));
    cut_arrays(out.gguf.get(), model, range);
    keep_window_phase(out.gguf.get(), model, range);
    gguf_set_val_u32(out.gguf.get(), (model.architecture + ".block_count").c_str(),
                     static_cast<uint32_t>(range.last - range.first + 1));
    add_layers(out, model, range, weights);
    add_ends(out, model, range, weights, n_vocab);
    return out;
}

}  // namespace ech0
