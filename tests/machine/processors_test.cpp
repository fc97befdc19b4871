#include "machine/processors.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("x86 names its processor, a Raspberry Pi its board, other Arm machines nothing") {
    CHECK(processor_name_in("processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC 7B13\nflags\t\t: fpu avx2\n") ==
          "AMD EPYC 7B13");
    CHECK(processor_name_in("processor\t: 0\nFeatures\t: fp asimd\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n") ==
          "Raspberry Pi 5 Model B Rev 1.0");
    CHECK(processor_name_in("processor\t: 0\nBogoMIPS\t: 50.00\n") == "");
    CHECK(processor_name_in("") == "");
    CHECK(processor_name_in("model name\t: a\x1b[2J\n") == "a\\x1b[2J");
}

TEST_CASE("what a processor can is in flags on x86, in Features on Arm") {
    CHECK(processor_flags_in("flags\t\t: fpu vme avx2\n") == std::vector<std::string>{"fpu", "vme", "avx2"});
    CHECK(processor_flags_in("Features\t: fp asimd\n") == std::vector<std::string>{"fp", "asimd"});
    CHECK(processor_flags_in("nothing").empty());
}

TEST_CASE("a cache's size has a K or an M") {
    CHECK(parse_cache_size("32768K\n") == int64_t{32} << 20);
    CHECK(parse_cache_size("96M") == int64_t{96} << 20);
    CHECK(parse_cache_size("512") == 512);
    for (const char* text : {"", "K", "x", "-3K", "9223372036854775807M", "99999999999G"}) {
        CAPTURE(text);
        CHECK(parse_cache_size(text) == 0);
    }
}

TEST_CASE("threads of one core count once") {
    CHECK(count_cores({"0,4\n", "1,5\n", "0,4\n", "1,5\n"}) == 2);
    CHECK(count_cores({"0\n", "1\n"}) == 2);
    CHECK(count_cores({"", "", ""}) == 3);  // nothing is known: each its own
    CHECK(count_cores({}) == 0);
}

TEST_CASE("a share of time keeps whole cores busy, at least one and no more than there are") {
    CHECK(cores_within(8, 2.9) == 2);
    CHECK(cores_within(8, 0.5) == 1);
    CHECK(cores_within(2, 64) == 2);
    CHECK(cores_within(2, 1e300) == 2);
}
