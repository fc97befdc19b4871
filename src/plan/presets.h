#pragma once

// What llama-quantize would make of a model: which type each tensor gets under a preset, and the exact size of the
// file. The engine's own rules are asked (its quantizer's dry run), because they depend on shapes, layers and whatever
// changed last month; nothing of them is written down here.

#include <ggml.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// The presets that people use, from the smallest: "IQ1_S" … "Q8_0", "F16".
std::vector<std::string> preset_names();

/// A model under a preset: types in the order of model.tensors.
struct Preset {
    std::string name;
    std::vector<ggml_type> types;
    int64_t file_bytes = 0;    ///< the head of the source's file and all tensors, padded
    int64_t tensor_bytes = 0;  ///< the tensors alone
    double bits_per_weight = 0;
};

/// @throws UsageError if there is no such preset; EngineError if the engine refuses the model, or its words are not
/// those we know how to read
Preset preset_of(const Model& model, std::string_view name);

/// The file's own types, by the name "as it is".
Preset preset_as_it_is(const Model& model);

/// Sizes of a file with these types, whoever chose them.
Preset preset_of_types(const Model& model, std::string_view name, std::vector<ggml_type> types);

}  // namespace ech0
