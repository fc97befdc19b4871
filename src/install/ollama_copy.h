#pragma once

// A model put into Ollama, under the name ech0/STEM, a namespace where nobody else's models are. Ollama copies the
// weights into its own store.

#include <filesystem>
#include <optional>
#include <string>

#include "ech0/model.h"

namespace ech0 {

/// The ollama program, if it is installed.
std::optional<std::filesystem::path> find_ollama();

/// The name that a model has there: "ech0/smollm2-135m-instruct-q4_1".
std::string ollama_name(const Model& model);

/// Does Ollama have a model of that name? @throws EngineError with Ollama's words if its server doesn't answer
bool ollama_has(const std::filesystem::path& ollama, const std::string& name);

/// Make it, or make it anew. @throws EngineError with Ollama's words
void ollama_create(const std::filesystem::path& ollama, const std::string& name, const std::string& modelfile);

/// Remove it; it need not be there. @throws EngineError with Ollama's words
void ollama_remove(const std::filesystem::path& ollama, const std::string& name);

}  // namespace ech0
