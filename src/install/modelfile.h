#pragma once

// A Modelfile for Ollama, so that a model answers there as `ech0 chat` has it. Ollama's prompt templates are Go
// templates, the file's own is Jinja; the one is found from the other by looking at what the engine writes around each
// role's words, and checked on longer talks. Every parameter written is one that Ollama knows (api/types.go).

#include <optional>
#include <string>

#include "ech0/model.h"
#include "runtime/sampler.h"

namespace ech0 {

struct ModelfileOptions {
    int64_t n_ctx = 4096;
    std::string system;
    SamplerOptions sampler;
};

/// @throws UsageError if a text in it has three quotation marks in a row, or its path a line break, which a Modelfile
/// can't hold
std::string modelfile_text(const Model& model, const ModelfileOptions& options);

/// The Go template that writes what the engine writes by this chat template; nothing if none of the forms known here
/// does (roles that each have a beginning and an end; a system prompt that goes into the first user's message).
std::optional<std::string> go_template(const std::string& chat_template);

}  // namespace ech0
