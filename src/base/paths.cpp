#include "base/paths.h"

#include <cstdlib>

#include "ech0/error.h"

namespace ech0 {
namespace {

/// An environment variable that is set and not empty, or nullptr.
const char* variable(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

std::filesystem::path cache_folder() {
    if (const char* cache = variable("ECH0_CACHE")) return cache;
    if (const char* home = variable("HOME")) return std::filesystem::path(home) / ".cache" / "ech0";
    throw UsageError("no place for the cache: neither ECH0_CACHE nor HOME is set; set ECH0_CACHE to a folder");
}

std::filesystem::path config_folder() {
    if (const char* config = variable("ECH0_CONFIG")) return config;
    if (const char* base = variable("XDG_CONFIG_HOME")) return std::filesystem::path(base) / "ech0";
    if (const char* home = variable("HOME")) return std::filesystem::path(home) / ".config" / "ech0";
    throw UsageError("no place for settings: none of ECH0_CONFIG, XDG_CONFIG_HOME, HOME is set; set ECH0_CONFIG");
}

}  // namespace ech0
