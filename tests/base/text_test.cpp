#include "base/text.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("printable keeps readable text and spells out what a terminal would obey") {
    CHECK(printable("blk.0.ffn_up.weight") == "blk.0.ffn_up.weight");
    CHECK(printable("Größe 大") == "Größe 大");
    CHECK(printable("a\nb\x1b[31m") == "a\\x0ab\\x1b[31m");
    CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
}

TEST_CASE("printable spells out bytes that are no UTF-8") {
    CHECK(printable("\xff") == "\\xff");
    CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");           // overlong '/'
    CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // surrogate
    CHECK(printable("\xe5\xa4") == "\\xe5\\xa4");           // cut short
    CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");           // the 8-bit escape U+009B
}

TEST_CASE("printable cuts long text") { CHECK(printable(std::string(1000, 'x'), 10) == "xxxxxxxxxx…"); }

TEST_CASE("counts get thousands separators") {
    CHECK(format_count(0) == "0");
    CHECK(format_count(999) == "999");
    CHECK(format_count(1000) == "1,000");
    CHECK(format_count(-1234567) == "-1,234,567");
}

TEST_CASE("a word for the shell is quoted only if it has to be") {
    CHECK(shell_word("/models/a-b_c.1:2.gguf") == "/models/a-b_c.1:2.gguf");
    CHECK(shell_word("a b") == "'a b'");
    CHECK(shell_word("it's $HOME") == "'it'\\''s $HOME'");
    CHECK(shell_word("") == "''");
}
