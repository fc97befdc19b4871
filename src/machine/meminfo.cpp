#include "machine/meminfo.h"

#include <algorithm>
#include <map>
#include <string>

#include "machine/system_text.h"

namespace ech0 {
namespace {

// "MemTotal:       24684084 kB"
std::map<std::string, int64_t, std::less<>> bytes_by_name(std::string_view text) {
    std::map<std::string, int64_t, std::less<>> found;
    for (const std::string_view line : lines_of(text)) {
        const std::vector<std::string_view> words = words_of(line);
        if (words.size() != 3 || words[2] != "kB" || !words[0].ends_with(':')) continue;
        const std::optional<int64_t> kib = parse_count(words[1]);
        if (!kib || *kib > INT64_MAX / 1024) continue;
        found.emplace(words[0].substr(0, words[0].size() - 1), *kib * 1024);
    }
    return found;
}

}  // namespace

MemoryInfo parse_meminfo(std::string_view text) {
    const auto found = bytes_by_name(text);
    const auto bytes = [&](std::string_view name) {
        const auto at = found.find(name);
        return at == found.end() ? int64_t{0} : at->second;
    };
    MemoryInfo info;
    info.total_bytes = bytes("MemTotal");
    const bool told = found.contains("MemAvailable");
    const int64_t available = told ? bytes("MemAvailable") : bytes("MemFree") + bytes("Buffers") + bytes("Cached");
    info.available_bytes = std::clamp<int64_t>(available, 0, info.total_bytes);
    info.swap_total_bytes = bytes("SwapTotal");
    info.swap_free_bytes = std::min(bytes("SwapFree"), info.swap_total_bytes);
    return info;
}

}  // namespace ech0
