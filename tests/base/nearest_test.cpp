#include "base/nearest.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("the edit distance counts letters put in, taken out and changed") {
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("abc", "abc") == 0);
}

TEST_CASE("the nearest word is offered only if it is near") {
    const std::vector<std::string> known = {"inspect", "verify", "chat"};
    CHECK(nearest("inspct", known) == "inspect");
    CHECK(nearest("cat", known) == "chat");
    CHECK(nearest("frobnicate", known) == "");
    CHECK(nearest("x", {}) == "");
}
