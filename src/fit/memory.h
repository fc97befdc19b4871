#pragma once

#include <cstdint>

#include "ech0/model.h"
#include "plan/presets.h"
#include "runtime/footprint.h"

namespace ech0 {

/// What a running model takes, in parts.
struct MemoryParts {
    int64_t weights_bytes = 0;  ///< as loaded
    int64_t kv_bytes = 0;       ///< the cache of the whole context
    int64_t compute_bytes = 0;  ///< scratch of a batch, and the logits
    int64_t runtime_bytes = 0;  ///< the program itself and the vocabulary's tables

    int64_t loading_bytes = 0;  ///< by which loading needs more than running: a tensor being rearranged is there twice

    int64_t total_bytes() const { return weights_bytes + kv_bytes + compute_bytes + runtime_bytes + loading_bytes; }
};

/// What a file's weights ask for beside their bytes, where they lie in the same memory as the program.
struct WeightMemory {
    int64_t tensor_bytes = 0;
    int64_t rearranged_output_bytes = 0;   ///< an embedding that is the output too, a second time in another order
    int64_t rearranged_largest_bytes = 0;  ///< a tensor that is there twice while it is being rearranged
    int64_t runtime_bytes = 0;
};
WeightMemory weight_memory(const Model& model, const Preset& preset);

/// @param in_ram  a GPU's own memory holds no program, and rearranges nothing
MemoryParts memory_of(const WeightMemory& weights, const Footprint& footprint, bool in_ram);

/// @param in_ram  the weights lie in the same memory as the program: a GPU's own holds no program
MemoryParts memory_of(const Model& model, const Preset& preset, const Footprint& footprint, bool in_ram);

}  // namespace ech0
