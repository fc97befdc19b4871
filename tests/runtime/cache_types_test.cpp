#include "runtime/cache_types.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

TEST_CASE("a cache is named by one type, or by those of keys and values") {
    CHECK(cache_types("q8_0") == CacheTypes{"q8_0", "q8_0"});
    CHECK(cache_types("q8_0/q5_1") == CacheTypes{"q8_0", "q5_1"});
    CHECK(cache_types("Q8_0/F16") == CacheTypes{"q8_0", "f16"});
    for (const char* name : {"f16", "q8_0/iq4_nl"}) CHECK(cache_name(cache_types(name)) == name);
    CHECK(cache_name({"q4_0", "q4_0"}) == "q4_0");
}

TEST_CASE("what names no cache is refused with how one is written") {
    for (const char* name : {"", "/", "q8_0/", "/q8_0", "q8_0/q8_0/q8_0"}) {
        CAPTURE(name);
        CHECK_THROWS_WITH_AS(cache_types(name),
                             doctest::Contains("wanted one type (q8_0), or those of keys and values"), UsageError);
    }
    CHECK_THROWS_WITH_AS(cache_types("q8_0/q9"), doctest::Contains("q9"), UsageError);
}

TEST_CASE("bits of a pair are the mean of its types'") {
    CHECK(cache_bits({}) == 16);
    CHECK(cache_bits({"q8_0", "q4_0"}) == (8.5 + 4.5) / 2);
}

TEST_CASE("a model has a cache only if blocks of its types divide the heads") {
    Model model;
    model.n_embd_head_k = 48;
    model.n_embd_head_v = 64;
    CHECK(why_no_cache(model, {}) == "");
    CHECK(why_no_cache(model, {"f16", "q8_0"}) == "");
    CHECK(why_no_cache(model, {"q8_0", "q8_0"}) == "keys of 48 numbers a head, and q8_0 takes blocks of 32");
    model.n_embd_head_v = 80;
    CHECK(why_no_cache(model, {"f16", "q5_1"}) == "values of 80 numbers a head, and q5_1 takes blocks of 32");
}
