#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/stored_model.h"

namespace ech0 {

/// Every model that Ollama has on this machine: those of $OLLAMA_MODELS, ~/.ollama/models and, where Ollama runs as a
/// service, /usr/share/ollama/.ollama/models.
std::vector<StoredModel> ollama_models();

/// A name as Ollama reads it, in the one form that `ollama_models` writes: default host and namespace left out, the tag
/// always there. "qwen2.5" -> "qwen2.5:latest", "registry.ollama.ai/library/Qwen2.5:32b" -> "qwen2.5:32b"
std::string ollama_name(std::string_view asked);

}  // namespace ech0
