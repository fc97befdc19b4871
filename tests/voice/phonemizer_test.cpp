#include "voice/phonemizer.h"

#include <doctest/doctest.h>

using namespace ech0;

namespace {

std::string text_of(const std::string& text) {
    std::string all;
    for (const Clause& clause : clauses(text)) all += "[" + clause.text + "]" + clause.mark;
    return all;
}

}  // namespace

TEST_CASE("clauses end at marks, not within words and numbers") {
    CHECK(text_of("Well, is it? Yes: it is!") == "[Well],[ is it]?[ Yes]:[ it is]!");
    CHECK(text_of("At 3:30, 1,000.5 apples") == "[At 3:30],[ 1,000.5 apples].");
    CHECK(text_of("Dr. Smith lives in St. Ives.") == "[Dr. Smith lives in St. Ives].");
    CHECK(text_of("The first one. The second one.") == "[The first one].[ The second one].");
    CHECK(text_of("\"Go,\" he said.") == "[\"Go],[\" he said].");
    CHECK(text_of("...").empty());
    CHECK(text_of("").empty());
}
