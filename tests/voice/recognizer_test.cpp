#include "voice/recognizer.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("what recognizers write for noise has no words") {
    for (const char* noise :
         {"", "...", " . ", "[BLANK_AUDIO]", "(wind blowing)", "[Music] (applause)", "(never closed"})
        CHECK(!has_words(noise));
    for (const char* speech : {"Yes.", "[laughs] No.", "7", "да", "a) b"}) CHECK(has_words(speech));
}
