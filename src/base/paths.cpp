#include "base/paths.h"

#include <fmt/format.h>

#include <cstdlib>

#include "ech0/error.h"

namespace ech0 {
namespace {

/// An environment variable that is set and not empty, or nullptr.
const char* variable(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
}

std::filesystem::path folder_by(const char* own, const char* xdg, const char* below_home, const char* what) {
    if (const char* folder = variable(own)) return folder;
    if (const char* base = variable(xdg)) return std::filesystem::path(base) / "ech0";
    if (const char* home = variable("HOME")) return std::filesystem::path(home) / below_home / "ech0";
    throw UsageError(
        fmt::format("no place for {}: none of {}, {}, HOME is set; set {} to a folder", what, own, xdg, own));
}

}  // namespace

std::filesystem::path cache_folder() {
    if (const char* cache = variable("ECH0_CACHE")) return cache;
    if (const char* home = variable("HOME")) return std::filesystem::path(home) / ".cache" / "ech0";
    throw UsageError("no place for the cache: neither ECH0_CACHE nor HOME is set; set ECH0_CACHE to a folder");
}

std::filesystem::path config_folder() { return folder_by("ECH0_CONFIG", "XDG_CONFIG_HOME", ".config", "settings"); }

std::filesystem::path state_folder() {
    return folder_by("ECH0_STATE", "XDG_STATE_HOME", ".local/state", "what happened");
}

std::filesystem::path home_folder() {
    if (const char* home = variable("HOME")) return home;
    throw UsageError("HOME is not set; set it to your home folder");
}

}  // namespace ech0
