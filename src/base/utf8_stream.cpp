#include "base/utf8_stream.h"

#include "base/text.h"

namespace ech0 {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

size_t character_length(std::string_view text) { return static_cast<unsigned char>(text[0]) < 0x80 ? 1 : utf8_length(text, 0); }

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Could `tail`, which is no whole character, become one with more bytes? Filling it up with the largest and the smallest
// continuation bytes tries both ends of what may follow; the forbidden ranges lie at either end, never in the middle.
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
            do { at++; } while (at < rest_.size() && is_continuation(rest_[at]));
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
