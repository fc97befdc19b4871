#pragma once

#include <string_view>

namespace ech0 {

/// The part of the network that a tensor belongs to, by its GGUF name: "token embedding", "attention q", "ffn down",
/// "experts up", "norms", "other", …
std::string_view component_of(std::string_view tensor_name);

/// The order in which components are listed: that of the computation. Unknown ones come last.
int component_rank(std::string_view component);

}  // namespace ech0
