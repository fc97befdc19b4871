#include "report/scatter.h"

#include <doctest/doctest.h>

#include "report/bar.h"

using namespace ech0;

TEST_CASE("a bar is as long as its share, in eighths or in whole characters") {
    CHECK(bar(0.5, 4, {}) == "##..");
    CHECK(bar(-1, 4, {}) == "....");
    CHECK(bar(7, 4, {}) == "####");
    CHECK(bar(0.5, 4, {.unicode = true}) == "██··");
    CHECK(bar(3.0 / 32, 4, {.unicode = true}) == "▍···");
    CHECK(bar(1, 4, {.unicode = true}) == "████");
}

TEST_CASE("a scatter puts the largest at the top and the rightmost at the right, and names what has room") {
    const Scatter scatter{"x", "y", {{1, 1, "a", "first"}, {3, 0.01, "b", ""}, {2, 0.1, "c", ""}}, 2.5, 3};
    const std::string wanted =
        "  y\n"
        "       1 |a first               :\n"
        "         |               c      :\n"
        "    0.01 |                      :      b\n"
        "         +------------------------------\n"
        "          1             x             3\n";
    CHECK(scatter.text({.width = 20}) == wanted);
}

TEST_CASE("fewer than two points are no picture") {
    CHECK(Scatter{"x", "y", {{1, 1, "a", ""}}, {}, 3}.text({}).empty());
}

TEST_CASE("a limit below all points is drawn to their left") {
    const Scatter scatter{"x", "y", {{3, 1, "a", ""}, {4, 0.1, "b", ""}}, 1, 2};
    CHECK(scatter.text({.width = 20}).find("       1 |:                  a") != std::string::npos);
}
