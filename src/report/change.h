#pragma once

#include <string>

#include "install/change.h"
#include "report/json.h"

namespace ech0 {

/// What came of putting a model into Ollama, or of taking it out again.
struct OllamaOutcome {
    std::string model;    ///< "ech0/qwen"; "" = Ollama is not installed, or not asked
    std::string problem;  ///< Ollama's words if it did not work
};

/// "ech0.change/1" (docs/json.md), of setup, use and undo.
Json change_json(const Change& change, const OllamaOutcome& ollama, bool dry_run);

/// The diffs of a dry run, or one line for each file that was written.
std::string change_text(const Change& change, const OllamaOutcome& ollama, bool dry_run);

}  // namespace ech0
