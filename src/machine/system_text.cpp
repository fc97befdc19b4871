#include "machine/system_text.h"

#include <charconv>
#include <fstream>

namespace ech0 {
namespace {

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    for (size_t at = 0; at < text.size();) {
        const size_t begin = text.find_first_not_of(separators, at);
        if (begin == std::string_view::npos) break;
        const size_t end = std::min(text.find_first_of(separators, begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        at = end;
    }
    return parts;
}

}  // namespace

std::string read_system_text(const std::filesystem::path& file) {
    constexpr std::streamsize most = 1 << 20;
    std::ifstream in(file, std::ios::binary);
    std::string text(static_cast<size_t>(most), '\0');
    in.read(text.data(), most);
    text.resize(static_cast<size_t>(in.gcount()));
    return text;
}

std::vector<std::string_view> lines_of(std::string_view text) { return split(text, "\n"); }

std::vector<std::string_view> words_of(std::string_view line) { return split(line, " \t\r"); }

std::optional<int64_t> parse_count(std::string_view text) {
    const std::vector<std::string_view> words = split(text, " \t\r\n");
    if (words.size() != 1 || words[0].starts_with('-')) return std::nullopt;
    int64_t count = 0;
    const char* const end = words[0].data() + words[0].size();
    const auto [stop, error] = std::from_chars(words[0].data(), end, count);
    return error == std::errc() && stop == end ? std::optional(count) : std::nullopt;
}

}  // namespace ech0
