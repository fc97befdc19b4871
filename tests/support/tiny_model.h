#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <ggml.h>

namespace ech0 {

/// A small random model that llama.cpp really loads and runs: right shapes, a working tokenizer (BPE for llama, deci
/// and the qwens, SentencePiece for gemma3; any text can be tokenized), a chat template. Same fields, same bytes.
struct TinyModel {
    std::string architecture = "llama";  ///< llama, deci, qwen2, qwen3, gemma3, qwen3moe
    int64_t n_layer = 2, n_embd = 64, n_head = 4, n_head_kv = 2, n_embd_head = 16, n_ff = 96;
    int64_t n_ctx_train = 256;
    int64_t n_expert = 0, n_expert_used = 0;
    int64_t n_swa = 16;              ///< gemma3: every layer but each sixth looks back this far
    bool tied = true;                ///< no output.weight
    ggml_type type = GGML_TYPE_F32;  ///< of the matrices; norms and biases are F32
    uint64_t seed = 1;
    int64_t n_vocab = 0;  ///< more tokens than the tokenizer needs: the others are unused; 0: no others
    bool same_layers =
        false;  ///< all layers have the weights of the first: large models are made quickly, in little memory

    /// deci only: per layer, where they differ from the above. 0 KV heads: no attention; 0 channels: no feed-forward.
    std::vector<int64_t> n_head_of_layer = {}, n_head_kv_of_layer = {}, n_ff_of_layer = {};

    int64_t head_count(int64_t layer) const { return of_layer(n_head_of_layer, layer, n_head); }
    int64_t head_count_kv(int64_t layer) const { return of_layer(n_head_kv_of_layer, layer, n_head_kv); }
    int64_t feed_forward_length(int64_t layer) const { return of_layer(n_ff_of_layer, layer, n_ff); }

private:
    static int64_t of_layer(const std::vector<int64_t>& values, int64_t layer, int64_t otherwise) {
        return values.empty() ? otherwise : values[static_cast<size_t>(layer)];
    }
};

void write_tiny_model(const TinyModel& model, const std::filesystem::path& file);

/// The same model in parts, FOLDER/NAME-00001-of-0000N.gguf and so on.
/// @return the parts in order
std::vector<std::filesystem::path> write_tiny_model_parts(const TinyModel& model, const std::filesystem::path& folder,
                                                          const std::string& name, int n_parts);

/// Tokens of the vocabulary that TinyModels of this architecture have.
int64_t tiny_vocabulary_size(const std::string& architecture);

}  // namespace ech0
