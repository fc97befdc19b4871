#include "base/utf8_stream.h"

#include <algorithm>

#include "base/text.h"

namespace ech0 {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

size_t character_length(std::string_view text) {
    return static_cast<unsigned char>(text[0]) < 0x80 ? 1 : utf8_length(text, 0);
}

// Could `tail`, which is no whole character, become one with more bytes? Filling it up with the largest and the
// smallest continuation bytes tries both ends of what may follow; the forbidden ranges lie at either end, never in the
// middle.
bool is_beginning(std::string_view tail) {
    for (const char filler : {'\x80', '\xBF'}) {
        std::string filled(tail);
        while (filled.size() < 4) {
            filled.push_back(filler);
            if (utf8_length(filled, 0) == filled.size()) return true;
        }
    }
    return false;
}

// Bytes that one U+FFFD stands for: as much of a character as is there, at least one byte. Source: the Unicode
// standard, "substitution of maximal subparts".
size_t beginning_length(std::string_view tail) {
    for (size_t n = std::min<size_t>(3, tail.size()); n > 1; n--)
        if (is_beginning(tail.substr(0, n))) return n;
    return 1;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
    rest_ += bytes;
    std::string out;
    size_t at = 0;
    while (at < rest_.size()) {
        const std::string_view tail = std::string_view(rest_).substr(at);
        if (const size_t length = character_length(tail); length > 0) {
            out += tail.substr(0, length);
            at += length;
        } else if (tail.size() < 4 && is_beginning(tail)) {
            break;
        } else {
            out += replacement;
            at += beginning_length(tail);
        }
    }
    rest_.erase(0, at);
    return out;
}

std::string Utf8Stream::finish() {
    const bool cut = !rest_.empty();
    rest_.clear();
    return std::string(cut ? replacement : "");
}

}  // namespace ech0
