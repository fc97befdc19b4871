#include "voice/moonshine_tokens.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;
using namespace std::string_literals;

TEST_CASE("tokens of Moonshine's tokenizer become lines of base64 and a number") {
    // RFC 4648's examples: f, fo, foo, foob.
    CHECK(moonshine_tokens("\1f\2fo\3foo\4foob"s) == "Zg== 0\nZm8= 1\nZm9v 2\nZm9vYg== 3\n");
    CHECK(moonshine_tokens("\4\u2581f"s) == "IGY= 0\n");  // SentencePiece's mark is a blank
    CHECK(moonshine_tokens("\0\1f"s) == " 0\nZg== 1\n");
}

TEST_CASE("a token of 128 bytes and more has a length of two bytes") {
    const std::string token(300, 'x');  // 300 = 2 * 128 + 44
    const std::string text = moonshine_tokens("\xAC\x02" + token);
    CHECK(text.ends_with(" 0\n"));
    CHECK(text.size() == 400 + 3);
}

TEST_CASE("a tokenizer that ends inside a token is refused") {
    for (const std::string& cut : {"\5foo"s, "\x80"s, "\xAC\x02xxx"s})
        CHECK_THROWS_AS(moonshine_tokens(cut), FormatError);
}
