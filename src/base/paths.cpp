#include "base/paths.h"

#include <cstdlib>

#include "ech0/error.h"

namespace ech0 {

std::filesystem::path cache_folder() {
    if (const char* cache = std::getenv("ECH0_CACHE"); cache != nullptr && *cache != '\0') return cache;
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
        return std::filesystem::path(home) / ".cache" / "ech0";
    }
    throw UsageError("no place for the cache: neither ECH0_CACHE nor HOME is set; set ECH0_CACHE to a folder");
}

}  // namespace ech0
