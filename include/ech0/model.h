#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ech0 {

/// One tensor as the file's index describes it. Its bytes lie in `Model::files[part]` at `offset_bytes`.
struct Tensor {
    std::string name;            ///< GGUF name, e.g. "blk.3.ffn_up.weight"
    int32_t type = 0;            ///< ggml_type
    std::string type_name;       ///< as ggml names it: "q4_K", "f16"
    std::vector<int64_t> shape;  ///< GGUF order: shape[0] is the row length (columns)
    int64_t n_elements = 0;
    int64_t size_bytes = 0;    ///< by ggml_row_size
    int64_t offset_bytes = 0;  ///< from the beginning of its file
    int32_t part = 0;          ///< index into Model::files

    int64_t n_cols() const { return shape.empty() ? 0 : shape[0]; }
    int64_t n_rows() const { return n_cols() == 0 ? 0 : n_elements / n_cols(); }
};

/// A value of the file's metadata. Arrays keep their elements only up to a bound; `array_size` is the true length.
using MetaScalar = std::variant<int64_t, uint64_t, double, bool, std::string>;
struct MetaValue {
    MetaScalar scalar;  ///< the value, unless this is an array
    bool is_array = false;
    int64_t array_size = 0;
    std::vector<MetaScalar> elements;  ///< all if they are at most 4096 numbers or bools; of strings the first 16
};

/// The anatomy of a model file: what its metadata and tensor index say, checked, without touching the weights.
/// Per-layer quantities are vectors of n_layer entries (they may vary, as in deci or gemma).
struct Model {
    std::string asked;                         ///< what the user wrote: a path, "demo", …
    std::vector<std::filesystem::path> files;  ///< the GGUF, or all its split parts in order
    std::string name, architecture, licence, chat_template;
    std::string source_type;  ///< the type that holds most weights: "f16", "q4_K"
    int64_t n_layer = 0, n_embd = 0, n_vocab = 0, n_ctx_train = 0;
    int64_t n_expert = 0, n_expert_used = 0, n_swa = 0;
    std::vector<int64_t> n_ff, n_head, n_head_kv;
    int64_t n_embd_head_k = 0, n_embd_head_v = 0;
    bool has_weights = true;       ///< false: a blueprint, shapes without weights
    bool tied_embeddings = false;  ///< no output.weight: the embedding serves as output too
    int64_t n_params = 0;          ///< weights in all tensors
    int64_t size_bytes = 0;        ///< all files together
    int64_t tensor_bytes = 0;      ///< the tensors alone
    double bits_per_weight = 0;    ///< 8 x tensor_bytes / n_params
    std::map<std::string, MetaValue, std::less<>> metadata;
    std::vector<Tensor> tensors;  ///< in file order

    const Tensor* find(std::string_view tensor_name) const;

    /// For whoever is about to read the weights. @throws UsageError if there are none
    void require_weights() const;

    /// Bytes of KV cache one more token of context costs, with K and V stored as f16 and no sliding window.
    int64_t kv_bytes_per_token() const;
};

/// What a person may write for MODEL -> the files it means. A `.gguf` path, any part of a split file, `demo`, or a
/// model in the store of a program on this machine: `ollama:NAME[:TAG]`, `lmstudio:PUBLISHER/MODEL[/FILE]`,
/// `hf:ORG/REPO[:FILE]`.
/// @throws UsageError naming what was looked for and where, when there is no such model, or more than one; FormatError
/// if
///         the store that has it is broken
std::vector<std::filesystem::path> resolve_model(std::string_view asked);

/// Read and check the anatomy. Every length, offset, type and shape is checked against the file before it is used, so
/// that nothing in a hostile file reaches the engine.
/// @throws FormatError naming file, thing, value found and value wanted; FileError if it can't be read
Model read_model(std::string_view asked);

/// The same for files that are known already.
Model read_model(std::string_view asked, std::vector<std::filesystem::path> files);

}  // namespace ech0
