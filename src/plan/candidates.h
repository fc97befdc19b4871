#pragma once

#include <ggml.h>

#include <string>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// Is this one of the matrices that compression may touch? Norms, biases, routers and convolutions are a rounding
/// error of the file's size and the quickest way to ruin it; the engine's own quantizer leaves them too.
bool is_compressible(const Tensor& tensor);

/// A type that we can make, by its name.
/// @throws UsageError naming those there are
ggml_type offered_type(const std::string& name);

/// The types this tensor can be stored in: those whose blocks divide its rows, that the engine has a quantizer for and
/// that llama.cpp, Ollama and LM Studio have read for years; ordered by size. Only types between `min_bits` and
/// `max_bits` per weight, and none larger than the source has it; the source's own type is always one of them.
std::vector<ggml_type> candidate_types(const Tensor& tensor, double min_bits, double max_bits);

}  // namespace ech0
