#include "voice/spoken.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace ech0 {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0; }

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Marks at the beginning of a line: quotes, headings, items.
std::string_view without_line_marks(std::string_view line) {
    for (bool again = true; again;) {
        again = false;
        line = trimmed(line);
        if (line.starts_with(">")) line.remove_prefix(1), again = true;
        const size_t level = std::min(line.find_first_not_of('#'), line.size());
        if (level > 0 && level <= 6 && (level == line.size() || line[level] == ' ')) {
            line = trimmed(line.substr(level));
            while (line.ends_with('#')) line.remove_suffix(1);
        }
        for (const std::string_view mark : {"- [ ] ", "- [x] ", "- ", "* ", "+ ", "\u2022 "})
            if (line.starts_with(mark)) line.remove_prefix(mark.size()), again = true;
    }
    return line;
}

// A rule, or the line under a table's head.
bool is_ornament(std::string_view line) {
    return line.find_first_not_of("-*_=|: \t") == std::string_view::npos && line.size() >= 2;
}

std::string host_of(std::string_view address) {
    const size_t mark = address.find("://");
    std::string_view rest = mark == std::string_view::npos ? address : address.substr(mark + 3);
    if (rest.starts_with("www.")) rest.remove_prefix(4);
    return std::string(rest.substr(0, rest.find_first_of("/?#:")));
}

size_t end_of_address(std::string_view text, size_t at) {
    size_t end = std::min(text.find_first_of(" \t\n<>\"|", at), text.size());
    while (end > at && std::string_view(".,;:!?)]*_'").find(text[end - 1]) != std::string_view::npos) end--;
    return end;
}

// The bracket that closes the one at `at`; npos if there is none.
size_t closing(std::string_view text, size_t at, char open, char close) {
    int depth = 0;
    for (; at < text.size(); at++) {
        if (text[at] == open) depth++;
        if (text[at] == close && --depth == 0) return at;
    }
    return std::string_view::npos;
}

// [text](address) and ![text](address), reference links [text][name].
bool take_link(std::string_view text, size_t& at, std::string& out);

bool take_entity(std::string_view text, size_t& at, std::string& out) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> entities = {
        {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&nbsp;", " "}, {"&#39;", "'"}}};
    for (const auto& [entity, character] : entities) {
        if (!text.substr(at).starts_with(entity)) continue;
        out += character;
        at += entity.size();
        return true;
    }
    return false;
}

// <tag>, </tag>, <https://address>; "1 < 2" is none of these.
bool take_tag(std::string_view text, size_t& at, std::string& out) {
    if (text[at] != '<' || at + 1 >= text.size()) return false;
    if (std::isalpha(static_cast<unsigned char>(text[at + 1])) == 0 && text[at + 1] != '/') return false;
    const size_t end = text.find('>', at);
    if (end == std::string_view::npos) return false;
    const std::string_view inside = text.substr(at + 1, end - at - 1);
    if (inside.find("://") != std::string_view::npos) out += host_of(inside);
    at = end + 1;
    return true;
}

bool take_address(std::string_view text, size_t& at, std::string& out) {
    const std::string_view here = text.substr(at);
    if (!here.starts_with("http://") && !here.starts_with("https://")) return false;
    const size_t end = end_of_address(text, at);
    out += host_of(text.substr(at, end - at));
    at = end;
    return true;
}

// Marks of emphasis and code; a star or underscore between blanks, or an underscore in a word, is none.
bool take_mark(std::string_view text, size_t& at, std::string& out) {
    const char c = text[at];
    if (c == '`') return at++, true;
    if (c == '~' && text.substr(at).starts_with("~~")) return at += 2, true;
    if (c != '*' && c != '_') return false;
    const bool word_before = at > 0 && is_word(text[at - 1]);
    const size_t end = std::min(text.find_first_not_of(c, at), text.size());
    const bool word_behind = end < text.size() && is_word(text[end]);
    if (c == '_' && word_before && word_behind) {
        out += ' ';
        at = end;
        return true;
    }
    const bool blank_before = at == 0 || text[at - 1] == ' ', blank_behind = end == text.size() || text[end] == ' ';
    if (blank_before && blank_behind && end - at == 1 && at > 0 && end < text.size()) return false;  // "2 * 3"
    at = end;
    return true;
}

bool take_escape(std::string_view text, size_t& at, std::string& out) {
    if (text[at] != '\\' || at + 1 >= text.size() || std::ispunct(static_cast<unsigned char>(text[at + 1])) == 0)
        return false;
    out += text[at + 1];
    at += 2;
    return true;
}

// Bytes of the UTF-8 character at `at`, and whether it is a picture.
std::pair<size_t, bool> character(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
    if (byte(0) >= 0xF0) return {4, byte(1) == 0x9F};  // U+1F000 and up
    if (byte(0) >= 0xE0) {
        const unsigned code = ((byte(0) & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F);
        return {3, (code >= 0x2600 && code <= 0x27BF) || code == 0xFE0F || code == 0x200D};
    }
    return {byte(0) >= 0xC0 ? 2 : 1, false};
}

std::string without_inline_marks(std::string_view text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
        if (take_escape(text, at, out) || take_link(text, at, out) || take_tag(text, at, out) ||
            take_address(text, at, out) || take_entity(text, at, out) || take_mark(text, at, out))
            continue;
        const auto [n, picture] = character(text, at);
        if (!picture) out += text.substr(at, n);
        at += n;
    }
    return out;
}

bool take_link(std::string_view text, size_t& at, std::string& out) {
    const size_t open = text[at] == '!' ? at + 1 : at;
    if (open >= text.size() || text[open] != '[') return false;
    const size_t close = closing(text, open, '[', ']');
    if (close == std::string_view::npos || close + 1 >= text.size()) return false;
    const char next = text[close + 1];
    const size_t end = next == '('   ? closing(text, close + 1, '(', ')')
                       : next == '[' ? closing(text, close + 1, '[', ']')
                                     : std::string_view::npos;
    if (end == std::string_view::npos) return false;
    out += without_inline_marks(text.substr(open + 1, close - open - 1));
    at = end + 1;
    return true;
}

std::string row_of_table(std::string_view line) {
    std::string out;
    for (size_t at = 1; at < line.size();) {
        const size_t end = std::min(line.find('|', at), line.size());
        const std::string_view cell = trimmed(line.substr(at, end - at));
        if (!cell.empty()) out += (out.empty() ? "" : ", ") + std::string(cell);
        at = end + 1;
    }
    return out;
}

std::string one_blank_each(std::string_view text) {
    std::string out;
    for (const char c : trimmed(text)) {
        const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!blank) out += c;
        if (blank && !out.ends_with(' ')) out += ' ';
    }
    return out;
}

}  // namespace

std::string spoken(std::string_view markdown) {
    if (is_ornament(trimmed(markdown))) return "";
    std::string_view line = without_line_marks(markdown);
    const std::string row = line.starts_with("|") ? row_of_table(line) : std::string(line);
    std::string said = one_blank_each(without_inline_marks(row));
    return std::any_of(said.begin(), said.end(), is_word) ? said : "";
}

}  // namespace ech0
