#include "machine/system_text.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("a count is a whole number and nothing else") {
    CHECK(parse_count("42\n") == 42);
    CHECK(parse_count(" 0 ") == 0);
    CHECK(parse_count("9223372036854775807") == INT64_MAX);
    for (const char* text : {"", " ", "max", "-1", "+1", "1.5", "12k", "1 2", "9223372036854775808", "0x10"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_count(text).has_value());
    }
}

TEST_CASE("a file that can't be read is an empty text") {
    CHECK(read_system_text("/nowhere/at/all") == "");
    CHECK(read_system_text("/") == "");
}
