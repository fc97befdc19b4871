#include "report/figures.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("divergences keep their digits whatever their size") {
    CHECK(nats_text(3.14159) == "3.142");
    CHECK(nats_text(0.0123456) == "0.0123");
    CHECK(nats_text(0.0000123) == "0.000012");
    CHECK(nats_text(-0.5) == "-0.5000");
    CHECK(nats_interval(0.1, 0.2) == "[0.1000, 0.2000]");
}

TEST_CASE("shares print in percent, changes with their sign") {
    CHECK(percent_text(0.8134) == "81.3 %");
    CHECK(percent_interval(0.801, 0.824) == "[80.1, 82.4]");
    CHECK(change_text(100, 60) == "-40.0 %");
    CHECK(change_text(40, 55) == "+37.5 %");
    CHECK(change_text(0, 5) == "");  // nothing to compare with
}
