#include "report/json.h"

#include <cmath>

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("JSON text keeps the order of keys and replaces what is no UTF-8") {
    const Json json = {{"z", 1}, {"a", "\xff"}};
    CHECK(json_text(json) == "{\n  \"z\": 1,\n  \"a\": \"\xef\xbf\xbd\"\n}\n");
}

TEST_CASE("metadata values become the JSON values they are") {
    MetaValue value;
    value.scalar = uint64_t{18446744073709551615U};
    CHECK(to_json(value).dump() == "18446744073709551615");
    value.scalar = 0.5;
    CHECK(to_json(value).dump() == "0.5");
    value.scalar = std::nan("");
    CHECK(to_json(value).dump() == "null");  // JSON has no NaN
    value.scalar = true;
    CHECK(to_json(value).dump() == "true");
    value.is_array = true;
    value.array_size = 2;
    value.elements = {int64_t{1}, int64_t{-2}};
    CHECK(to_json(value).dump() == "[1,-2]");
    value.array_size = 49152;
    CHECK(to_json(value).dump() == "{\"array_size\":49152}");
}

TEST_CASE("equal layers are one number and others a list") {
    CHECK(per_layer_json({9, 9, 9}).dump() == "9");
    CHECK(per_layer_json({9, 0, 9}).dump() == "[9,0,9]");
}
