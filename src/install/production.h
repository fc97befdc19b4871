#pragma once

// ~/.ech0_production_config: the settings as environment variables, for scripts and for programs beside ech0, to be
// read by a shell (sh, bash, zsh, fish). ech0 itself reads config.toml alone, so that a shell that read an older
// version does not undo a switch.

#include <filesystem>
#include <string>

#include "install/config.h"

namespace ech0 {

std::filesystem::path production_file();

/// Its text. OLLAMA_KEEP_ALIVE, OLLAMA_CONTEXT_LENGTH, OLLAMA_KV_CACHE_TYPE and OLLAMA_FLASH_ATTENTION are Ollama's own
/// (envconfig/config.go); the cache type is set only where Ollama knows it (f16, q8_0, q4_0).
std::string production_text(const Config& config);

}  // namespace ech0
