#include "voice/language.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("a voice's language has a name that a model knows, whatever its country") {
    CHECK(language_name("en-us") == "English");
    CHECK(language_name("en-gb-x-rp") == "English");
    CHECK(language_name("pt_BR") == "Portuguese");
    CHECK(language_name("de") == "German");
    CHECK(language_name("cmn") == "Chinese");
    CHECK(language_name("tlh").empty());
    CHECK(language_name("").empty());
}
