#pragma once

// A person's own settings, ~/.config/ech0/config.toml: what chat, talk and serve take where the command line is silent.
// The file belongs to the person: ech0 sets single keys in it and leaves comments, order and other keys alone.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace ech0 {

/// The settings; what a file does not say is as here.
struct Config {
    std::string model;               ///< what is taken where no MODEL is named; "" = none
    int64_t n_ctx = 0;               ///< [run] ctx; 0 = what fits
    std::string kv_type;             ///< [run] kv; "" = what fits
    std::string system;              ///< [chat] system
    std::string host = "127.0.0.1";  ///< [serve] host
    int64_t port = 8080;             ///< [serve] port
    bool voice_enabled = false;      ///< [voice] enabled
    std::string keep_alive = "5m";   ///< [ollama] keep_alive: how long Ollama keeps a model loaded
};

std::filesystem::path config_file();

/// @param name  for errors: the file
/// @throws FormatError with line and column: no TOML, a key that is not known, a value of another type or out of range
Config parse_config(std::string_view text, const std::string& name);

/// The person's settings; defaults if there is no file.
/// @throws as parse_config; FileError
Config read_config();

/// The text with these settings written into it; keys that have their value already are left as they are written.
/// @param text  "" = there is no file yet
/// @throws FormatError as parse_config
std::string with_config(std::string_view text, const Config& config);

}  // namespace ech0
