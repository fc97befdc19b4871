#include "ech0/units.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

TEST_CASE("a size reads decimal units as powers of ten, and short and binary ones as powers of two") {
    CHECK(parse_size("60MB") == 60'000'000);
    CHECK(parse_size("17.8GiB") == 19112604467);  // floor(17.8 * 2^30) = floor(19112604467.2)
    CHECK(parse_size("16g") == int64_t{16} << 30);
    CHECK(parse_size("16 G") == int64_t{16} << 30);
    CHECK(parse_size("1.5k") == 1536);
    CHECK(parse_size("1tb") == 1'000'000'000'000);
    CHECK(parse_size("1234") == 1234);
    CHECK(parse_size("1234B") == 1234);
    CHECK(parse_size("0") == 0);
}

TEST_CASE("a size is exact where floating point is not") {
    CHECK(parse_size("2.3kB") == 2300);  // 2.3 * 1000 is 2299.9999999999995 in double
    CHECK(parse_size("1.005MB") == 1'005'000);
    CHECK(parse_size("9007199254740993") == 9007199254740993);  // 2^53 + 1
    CHECK(parse_size("0.9999999999999999999999kB") == 999);
}

TEST_CASE("what is no size is refused with the forms that are") {
    for (const char* text : {"", "MB", "-1GB", "1.2.3G", "12 parsecs", "1e9", "0x10", ".5G", "nan"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(parse_size(text), UsageError);
    }
    CHECK_THROWS_WITH_AS(parse_size("12q"), "'12q' is no size: write 60MB, 17.8GiB, 16g or a number of bytes",
                         UsageError);
}

TEST_CASE("a size beyond 63 bits is refused, not wrapped") {
    CHECK(parse_size("9223372036854775807") == INT64_MAX);
    CHECK_THROWS_AS(parse_size("9223372036854775808"), UsageError);
    CHECK_THROWS_AS(parse_size("99999999999TB"), UsageError);
}

TEST_CASE("bits per weight are above 0 and at most 32") {
    CHECK(parse_bits_per_weight("3.5bpw") == doctest::Approx(3.5));
    CHECK(parse_bits_per_weight("4.25") == doctest::Approx(4.25));
    CHECK(parse_bits_per_weight("32") == doctest::Approx(32));
    for (const char* text : {"0", "33", "bpw", "3.5GB", "-1", "", "inf"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(parse_bits_per_weight(text), UsageError);
    }
}

TEST_CASE("a share lies between 0 and 1, or 0 % and 100 %") {
    CHECK(parse_share("0.6") == doctest::Approx(0.6));
    CHECK(parse_share("60%") == doctest::Approx(0.6));
    CHECK(parse_share("12.5 %") == doctest::Approx(0.125));
    for (const char* text : {"0", "1", "100%", "60", "-0.5", "half", "", "%"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(parse_share(text), UsageError);
    }
    CHECK_THROWS_WITH_AS(parse_share("60"), "'60' is no share between 0 and 1: write 0.6 or 60%", UsageError);
}

TEST_CASE("memory prints in powers of two, disk in powers of ten") {
    CHECK(format_memory(19'069'468'672) == "17.76 GiB");  // the working set of a 24 GB M4
    CHECK(format_memory(int64_t{317} << 20) == "317.0 MiB");
    CHECK(format_memory(1536) == "1.5 KiB");
    CHECK(format_memory(5) == "5 B");
    CHECK(format_disk(384'337'056) == "384.3 MB");
    CHECK(format_disk(19'851'336'704) == "19.85 GB");
}

TEST_CASE("durations keep two units at most") {
    CHECK(format_duration(0.84) == "0.8 s");
    CHECK(format_duration(42.3) == "42 s");
    CHECK(format_duration(59.7) == "1 min 0 s");
    CHECK(format_duration(200) == "3 min 20 s");
    CHECK(format_duration(7500) == "2 h 5 min");
}

TEST_CASE("an amount is units, weights or a share") {
    CHECK(parse_amount("3").of == Amount::Of::units);
    CHECK(parse_amount("3").value == 3);
    CHECK(parse_amount("1.5B").of == Amount::Of::weights);
    CHECK(parse_amount("1.5B").value == doctest::Approx(1.5e9));
    CHECK(parse_amount("300k").value == doctest::Approx(3e5));
    CHECK(parse_amount("20%").of == Amount::Of::share);
    CHECK(parse_amount("0.2").value == doctest::Approx(0.2));
    for (const char* text : {"", "0", "-3", "100%", "1.5", "2GB", "heads", "%"}) {
        CAPTURE(std::string(text));
        CHECK_THROWS_AS(parse_amount(text), UsageError);
    }
}
