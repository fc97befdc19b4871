#include "fit/memory.h"

#include <algorithm>

#include "runtime/placement.h"

namespace ech0 {
namespace {

// The program with its libraries, and the engine's tables per token of the vocabulary (texts both ways, merges,
// pieces). Measured as what peak memory leaves over after all that the engine accounts for:
// bench/predictions.sh.
constexpr int64_t program_bytes = 12'000'000, bytes_per_vocabulary_token = 290;

/// What the processor's rearranging of weights costs: an embedding that is the output too is read by rows and
/// multiplied, so it is there in both forms; and while a tensor is rearranged, so is that one.
struct Rearranged {
    int64_t output_bytes = 0, largest_bytes = 0;
};

Rearranged rearranged(const Model& model, const Preset& preset) {
    Rearranged result;
    for (size_t i = 0; i < model.tensors.size(); i++) {
        const Tensor& tensor = model.tensors[i];
        const bool is_embedding = tensor.name == "token_embd.weight";
        if (is_embedding && !model.tied_embeddings) continue;
        const auto bytes = static_cast<int64_t>(ggml_row_size(preset.types[i], tensor.n_cols())) * tensor.n_rows();
        if (bytes <= result.largest_bytes && !is_embedding) continue;
        if (!is_rearranged(tensor, preset.types[i])) continue;
        result.largest_bytes = std::max(result.largest_bytes, bytes);
        if (is_embedding) result.output_bytes = bytes;
    }
    return result;
}

}  // namespace

MemoryParts memory_of(const Model& model, const Preset& preset, const Footprint& footprint, bool in_ram) {
    MemoryParts parts;
    parts.weights_bytes = preset.tensor_bytes;
    parts.kv_bytes = footprint.kv_bytes;
    parts.compute_bytes = footprint.compute_bytes + footprint.output_bytes;
    if (!in_ram) return parts;
    const Rearranged twice = rearranged(model, preset);
    parts.weights_bytes += twice.output_bytes;
    parts.loading_bytes = std::max<int64_t>(0, twice.largest_bytes - parts.kv_bytes - parts.compute_bytes);
    // A file may have no vocabulary at all; a blueprint has none only because it is no file.
    const bool has_vocabulary = !model.has_weights || model.metadata.contains("tokenizer.ggml.tokens");
    parts.runtime_bytes = program_bytes + (has_vocabulary ? bytes_per_vocabulary_token * model.n_vocab : 0);
    return parts;
}

}  // namespace ech0
