#include "fit/memory.h"

#include <algorithm>

#include "runtime/placement.h"

namespace ech0 {
namespace {

// The program with its libraries, and the engine's tables per token of the vocabulary (texts both ways, merges,
// pieces). Measured as what peak memory leaves over after all that the engine accounts for, with a whole batch read
// (512 tokens: of a shorter prompt parts of the compute buffer are never touched): bench/predictions.sh.
constexpr int64_t program_bytes = 22'500'000, bytes_per_vocabulary_token = 290;

/// What the processor's rearranging of weights costs: an embedding that is the output too is read by rows and
/// multiplied, so it is there in both forms; and while a tensor is rearranged, so is that one.
void add_rearranged(const Model& model, const Preset& preset, WeightMemory& result) {
    for (size_t i = 0; i < model.tensors.size(); i++) {
        const Tensor& tensor = model.tensors[i];
        const bool is_embedding = tensor.name == "token_embd.weight";
        if (is_embedding && !model.tied_embeddings) continue;
        const auto bytes = static_cast<int64_t>(ggml_row_size(preset.types[i], tensor.n_cols())) * tensor.n_rows();
        if (bytes <= result.rearranged_largest_bytes && !is_embedding) continue;
        if (!is_rearranged(tensor, preset.types[i])) continue;
        result.rearranged_largest_bytes = std::max(result.rearranged_largest_bytes, bytes);
        if (is_embedding) result.rearranged_output_bytes = bytes;
    }
}

}  // namespace

WeightMemory weight_memory(const Model& model, const Preset& preset) {
    WeightMemory result;
    result.tensor_bytes = preset.tensor_bytes;
    add_rearranged(model, preset, result);
    // A file may have no vocabulary at all; a blueprint has none only because it is no file.
    const bool has_vocabulary = !model.has_weights || model.metadata.contains("tokenizer.ggml.tokens");
    result.runtime_bytes = program_bytes + (has_vocabulary ? bytes_per_vocabulary_token * model.n_vocab : 0);
    return result;
}

MemoryParts memory_of(const WeightMemory& weights, const Footprint& footprint, bool in_ram) {
    MemoryParts parts;
    parts.weights_bytes = weights.tensor_bytes;
    parts.kv_bytes = footprint.kv_bytes;
    parts.compute_bytes = footprint.compute_bytes + footprint.output_bytes;
    if (!in_ram) return parts;
    parts.weights_bytes += weights.rearranged_output_bytes;
    parts.loading_bytes = std::max<int64_t>(0, weights.rearranged_largest_bytes - parts.kv_bytes - parts.compute_bytes);
    parts.runtime_bytes = weights.runtime_bytes;
    return parts;
}

MemoryParts memory_of(const Model& model, const Preset& preset, const Footprint& footprint, bool in_ram) {
    return memory_of(weight_memory(model, preset), footprint, in_ram);
}

}  // namespace ech0
