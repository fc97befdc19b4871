#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// How the engine turns keys by their position (rotary embedding, Su et al. 2021): numbers 2 i and 2 i + 1 of a head
/// (norm), or i and i + n_rot / 2 (neox), by the angle pos * base^(-2 i / n_rot) * scale / factors[i].
struct Rope {
    enum class Kind : uint32_t { none, norm, neox };
    Kind kind = Kind::none;
    int64_t n_rot = 0;
    double base = 10000, scale = 1;
    std::vector<float> factors;  ///< [n_rot / 2], or empty
};

/// What this model does. Kinds that are not the same for all layers and positions (YaRN, LongRoPE, M-RoPE, bases of
/// sliding windows) give Kind::none: such keys are left as they are stored.
/// @param engine_type  what llama_model_rope_type says
Rope rope_of_model(const Model& model, int engine_type);

/// Turn [pos.size(), n_head, d] in place: forward as the engine does, or back.
void turn(const Rope& rope, std::span<const int32_t> pos, int64_t n_head, int64_t d, bool back, float* x);

}  // namespace ech0
