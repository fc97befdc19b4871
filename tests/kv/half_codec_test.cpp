#include "kv/half_codec.h"

#include <doctest/doctest.h>
#include <ggml.h>

#include <cmath>
#include <random>

#include "ech0/error.h"

using namespace ech0;

namespace {

std::vector<uint16_t> decoded(const std::string& packed, size_t n, int64_t n_columns) {
    std::vector<uint16_t> rows(n);
    decode_halves(packed, rows, n_columns);
    return rows;
}

void check_round_trip(const std::vector<uint16_t>& rows, int64_t n_columns) {
    CHECK(decoded(encode_halves(rows, n_columns), rows.size(), n_columns) == rows);
}

// Rows as a cache has them: few causes, many channels, a little noise of their own.
std::vector<uint16_t> cache_like(int64_t n_rows, int64_t n_columns, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> mixing(static_cast<size_t>(4 * n_columns));
    for (float& x : mixing) x = normal(random);
    std::vector<uint16_t> rows;
    for (int64_t r = 0; r < n_rows; r++) {
        std::array<float, 4> cause{};
        for (float& x : cause) x = normal(random);
        for (int64_t c = 0; c < n_columns; c++) {
            float x = 0.05F * normal(random);
            for (size_t i = 0; i < 4; i++) x += cause[i] * mixing[static_cast<size_t>(c) * 4 + i];
            rows.push_back(ggml_fp32_to_fp16(x));
        }
    }
    return rows;
}

}  // namespace

TEST_CASE("half codec: every half-precision number comes back, also those that are none") {
    std::vector<uint16_t> all(65536);
    for (size_t i = 0; i < all.size(); i++) all[i] = static_cast<uint16_t>(i * 40503);  // odd: each once, in disorder
    check_round_trip(all, 16);
    check_round_trip(all, 1);
    check_round_trip(all, 512);  // two groups of columns
}

TEST_CASE("half codec: no rows, one row, one number") {
    check_round_trip({}, 3);
    check_round_trip({0x3c00, 0xbc00, 0x8000}, 3);
    check_round_trip({0x7e00}, 1);
}

TEST_CASE("half codec: columns that never change cost two bytes each") {
    std::vector<uint16_t> rows;
    for (int row = 0; row < 500; row++)
        for (uint16_t c = 0; c < 8; c++) rows.push_back(static_cast<uint16_t>(c * 1000));
    const std::string packed = encode_halves(rows, 8);
    CHECK(packed.size() == 1 + 8 * 2);
    CHECK(decoded(packed, rows.size(), 8) == rows);
}

TEST_CASE("half codec: columns that follow from each other take fewer bits than columns that do not") {
    const std::vector<uint16_t> rows = cache_like(600, 32, 1);
    const std::string packed = encode_halves(rows, 32);
    CHECK(decoded(packed, rows.size(), 32) == rows);
    // The same numbers, but each column from other rows: nothing follows from anything.
    std::vector<uint16_t> apart = rows;
    for (size_t r = 0; r < 600; r++)
        for (size_t c = 0; c < 32; c++) apart[r * 32 + c] = rows[(r + c * 17) % 600 * 32 + c];
    CHECK(packed.size() < encode_halves(apart, 32).size() * 85 / 100);
    CHECK(packed.size() < rows.size() * 2 * 75 / 100);
}

TEST_CASE("half codec: cut off or changed bytes give an error or other numbers, never a fault") {
    const std::vector<uint16_t> rows = cache_like(40, 12, 2);
    const std::string packed = encode_halves(rows, 12);
    std::vector<uint16_t> out(rows.size());
    int refused = 0;
    for (size_t n = 0; n < packed.size(); n++) {
        try {
            decode_halves(packed.substr(0, n), out, 12);
        } catch (const FormatError&) {
            refused++;
        }
        std::string changed = packed;
        changed[n] = static_cast<char>(changed[n] ^ 0x55);
        try {
            decode_halves(changed, out, 12);
        } catch (const FormatError&) {}
    }
    CHECK(refused > 6);  // the mask, the length, the coded bits
    CHECK_THROWS_AS(decode_halves(packed, out, 0), FormatError);
    CHECK_THROWS_AS(decode_halves(packed, out, 7), FormatError);
    CHECK_THROWS_AS(decode_halves(encode_halves(std::vector<uint16_t>(24, 7), 12) + "x", std::span(out).first(24), 12),
                    FormatError);
}
