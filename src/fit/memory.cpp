#include "fit/memory.h"

namespace ech0 {
namespace {

// The program with its libraries, and the engine's tables per token of the vocabulary (texts both ways, merges,
// pieces). Measured as what peak memory leaves over after all that the engine accounts for:
// bench/memory_predictions.sh.
constexpr int64_t program_bytes = 12'000'000, bytes_per_vocabulary_token = 290;

}  // namespace

MemoryParts memory_of(const Model& model, const Preset& preset, const Footprint& footprint, bool in_ram) {
    MemoryParts parts;
    parts.weights_bytes = preset.tensor_bytes;
    parts.kv_bytes = footprint.kv_bytes;
    parts.compute_bytes = footprint.compute_bytes + footprint.output_bytes;
    // A file may have no vocabulary at all; a blueprint has none only because it is no file.
    const bool has_vocabulary = !model.has_weights || model.metadata.contains("tokenizer.ggml.tokens");
    if (in_ram) parts.runtime_bytes = program_bytes + (has_vocabulary ? bytes_per_vocabulary_token * model.n_vocab : 0);
    return parts;
}

}  // namespace ech0
