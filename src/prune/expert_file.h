#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/gguf_output.h"
#include "runtime/source.h"

namespace ech0 {

/// Experts that stay, of each layer; ascending, of every layer with experts as many: the engine knows one number of
/// them.
using KeptExperts = std::vector<std::vector<int32_t>>;

/// Has this tensor a part for each expert? The last dimension then counts them: their matrices and scales, the router's
/// rows and biases.
bool is_per_expert(const Model& model, const Tensor& tensor);

/// The layer that a tensor of a layer is of.
int64_t layer_of(const Tensor& tensor);

/// Weights that go with one expert of every layer.
int64_t params_per_expert(const Model& model);
/// The same in bytes of the file.
int64_t bytes_per_expert(const Model& model);

/// @throws UsageError if experts of this model cannot be taken away one by one: there are none, or they are routed in
/// groups
void check_experts(const Model& model);

/// Write the model with these experts alone, everything else byte for byte as it is. It takes its name after `proof`.
/// @throws UsageError if fewer stay than each token is sent to; FileError, Interrupted
void write_experts(const Source& source, const KeptExperts& kept, const std::string& recipe,
                   const std::filesystem::path& target, const Proof& proof = {});

}  // namespace ech0
