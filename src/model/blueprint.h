#pragma once

// A blueprint is a published model's exact shapes without its weights, written as a GGUF whose data part is a hole: the
// anatomy, the engine's own sizes and its memory accounting come from it by the same code as from a real file, and the
// 65 GB of a 32B model take a few KB of disk.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// A published GGUF of a blueprint's model, to check our sizes by.
struct BlueprintFile {
    std::string type;  ///< preset, as llama-quantize names it
    int64_t size_bytes = 0;
    std::string source;
};

struct Blueprint {
    std::string name;  ///< "qwen2.5:32b"
    std::vector<std::string> aliases;
    std::string title, family, architecture, licence, source;
    int64_t n_params = 0;  ///< as published; the shapes must come to it
    int64_t n_layer = 0, n_embd = 0, n_ff = 0, n_head = 0, n_head_kv = 0, n_embd_head = 0;
    int64_t n_vocab = 0, n_ctx_train = 0, n_rot = 0;
    int64_t n_swa = 0, n_swa_pattern = 0;
    int64_t n_expert = 0, n_expert_used = 0, n_ff_expert = 0;
    bool tied_embeddings = false, attention_bias = false, qk_norm = false, post_norms = false, fused_qkv = false;
    std::string rope_factors;  ///< "", "llama3", "long": which tensors of RoPE factors the file stores
    double rope_freq_base = 0, rms_eps = 0;
    int64_t head_bytes = 0;  ///< of a real file of this model: keys, vocabulary, template, tensor list
    std::string head_source;
    std::vector<BlueprintFile> files;
};

/// All blueprints, in the order of share/blueprints.
/// @throws FormatError naming file and key if a description is not what it should be
const std::vector<Blueprint>& blueprints();

/// By name or alias, whatever the case. @return nullptr if there is none
const Blueprint* find_blueprint(std::string_view name);

/// The blueprint as a GGUF of F16 matrices in the cache folder: true size, no weights. Written once.
/// @throws FileError
std::filesystem::path blueprint_file(const Blueprint& blueprint);

/// The same, written where the caller wants it.
void write_blueprint(const Blueprint& blueprint, const std::filesystem::path& file);

/// A model of these shapes that the engine really runs, its matrices of this type and all zero: true in memory and
/// speed, and a few KB of disk. Rows that the type's blocks don't divide are F16.
void write_hollow_model(const Blueprint& blueprint, int32_t type, const std::filesystem::path& file);

// Keys of such a file: which blueprint it is, and how many bytes the head of a real file has.
constexpr std::string_view blueprint_key = "ech0.blueprint.name";
constexpr std::string_view blueprint_head_key = "ech0.blueprint.head_bytes";

}  // namespace ech0
