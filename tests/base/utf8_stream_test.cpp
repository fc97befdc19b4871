#include "base/utf8_stream.h"

#include <doctest/doctest.h>

#include <vector>

namespace ech0 {
namespace {

// What comes out of a stream that gets `text` in pieces of n bytes, piece by piece; the last is finish()'s.
std::vector<std::string> stream_in_pieces(const std::string& text, size_t n) {
    Utf8Stream stream;
    std::vector<std::string> out;
    for (size_t at = 0; at < text.size(); at += n) out.push_back(stream.push(text.substr(at, n)));
    out.push_back(stream.finish());
    return out;
}

std::string join(const std::vector<std::string>& pieces) {
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    return all;
}

bool ends_inside_character(const std::string& text) {
    for (size_t n = 1; n <= 3 && n <= text.size(); n++) {
        const auto c = static_cast<unsigned char>(text[text.size() - n]);
        if (c < 0x80) return false;
        if (c >= 0xC0) return n < (c >= 0xF0 ? 4U : c >= 0xE0 ? 3U : 2U);
    }
    return false;
}

TEST_CASE("text comes out as it went in, wherever it is cut, and never ends inside a character") {
    const std::string text = "naïve – 日本語 🙂 e\u0301 \U0010FFFF\tend\n";
    for (size_t n = 1; n <= text.size(); n++) {
        const std::vector<std::string> pieces = stream_in_pieces(text, n);
        CHECK(join(pieces) == text);
        for (const std::string& piece : pieces) CHECK_FALSE(ends_inside_character(piece));
    }
}

TEST_CASE("a character comes out with its last byte, not later") {
    Utf8Stream stream;
    CHECK(stream.push("a\xF0\x9F") == "a");
    CHECK(stream.push("\x99") == "");
    CHECK(stream.push("\x82z") == "🙂z");
    CHECK(stream.finish() == "");
}

TEST_CASE("bytes that are no UTF-8 become one U+FFFD each and hide nothing behind them, wherever they are cut") {
    for (const std::string bad :
         {"\xFF", "\x80", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xC2\x85"}) {
        std::string expected = "a";
        for (size_t i = 0; i < bad.size(); i++) expected += "\uFFFD";
        for (size_t n = 1; n <= 6; n++) CHECK(join(stream_in_pieces("a" + bad + "b", n)) == expected + "b");
    }
}

TEST_CASE("a character that is broken off is one U+FFFD, in the middle and at the end") {
    CHECK(join(stream_in_pieces("\xE2\x82 €", 1)) == "\uFFFD €");
    CHECK(join(stream_in_pieces("x\xE2\x82", 1)) == "x\uFFFD");
    CHECK(join(stream_in_pieces("\xF0\x9F\x99\xF0\x9F\x99\x82", 2)) == "\uFFFD🙂");
}

}  // namespace
}  // namespace ech0
