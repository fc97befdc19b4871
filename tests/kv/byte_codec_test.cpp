#include "kv/byte_codec.h"

#include <doctest/doctest.h>

#include <random>

#include "ech0/error.h"

using namespace ech0;

namespace {

std::vector<uint8_t> decoded(const std::string& packed, size_t n, int64_t row_bytes, int64_t unit_bytes) {
    std::vector<uint8_t> rows(n);
    decode_bytes(packed, rows, row_bytes, unit_bytes);
    return rows;
}

// Blocks of a quantized type: a scale that moves slowly, then numbers whose high bits lean one way.
std::vector<uint8_t> quantized(int64_t n_rows, int64_t n_units, int64_t unit_bytes, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 20);
    std::vector<uint8_t> rows;
    for (int64_t i = 0; i < n_rows * n_units; i++) {
        rows.push_back(static_cast<uint8_t>(random() & 255));
        rows.push_back(static_cast<uint8_t>(0x20 + i % 3));
        for (int64_t j = 2; j < unit_bytes; j++) rows.push_back(static_cast<uint8_t>(static_cast<int>(normal(random))));
    }
    return rows;
}

}  // namespace

TEST_CASE("byte codec: rows of any unit come back, and what is not noise shrinks") {
    for (const int64_t unit : {4, 18, 22, 34, 100}) {
        const std::vector<uint8_t> rows = quantized(120, 6, unit, 3);
        const std::string packed = encode_bytes(rows, 6 * unit, unit);
        CHECK(decoded(packed, rows.size(), 6 * unit, unit) == rows);
        CHECK(packed.size() < rows.size() * 92 / 100);
    }
}

TEST_CASE("byte codec: noise costs no more than its own bytes and a head") {
    std::mt19937 random(4);
    std::vector<uint8_t> rows(34 * 600);
    for (uint8_t& byte : rows) byte = static_cast<uint8_t>(random());
    const std::string packed = encode_bytes(rows, 340, 34);
    CHECK(decoded(packed, rows.size(), 340, 34) == rows);
    CHECK(packed.size() < rows.size() * 101 / 100);
}

TEST_CASE("byte codec: no rows, one byte, units that the row's end cuts") {
    CHECK(decoded(encode_bytes({}, 5, 2), 0, 5, 2).empty());
    const std::vector<uint8_t> rows = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    CHECK(decoded(encode_bytes(rows, 5, 2), 10, 5, 2) == rows);
    CHECK(decoded(encode_bytes(rows, 1, 1), 10, 1, 1) == rows);
}

TEST_CASE("byte codec: cut off or changed bytes give an error or other bytes, never a fault") {
    const std::vector<uint8_t> rows = quantized(10, 3, 18, 5);
    const std::string packed = encode_bytes(rows, 54, 18);
    std::vector<uint8_t> out(rows.size());
    int refused = 0;
    for (size_t n = 0; n < packed.size(); n++) {
        std::string changed = packed;
        changed[n] = static_cast<char>(changed[n] ^ 0xff);
        for (const std::string& bytes : {packed.substr(0, n), changed}) {
            try {
                decode_bytes(bytes, out, 54, 18);
            } catch (const FormatError&) {
                refused++;
            }
        }
    }
    CHECK(refused > 13);
    CHECK_THROWS_AS(decode_bytes(packed, out, 0, 18), FormatError);
    CHECK_THROWS_AS(decode_bytes(packed, out, 54, 0), FormatError);
    CHECK_THROWS_AS(decode_bytes(packed, out, 49, 18), FormatError);
}

TEST_CASE("byte codec: columns that never change cost a byte each") {
    std::vector<uint8_t> rows;
    for (uint8_t r = 0; r < 200; r++)
        for (uint8_t c = 0; c < 24; c++) rows.push_back(c == 5 ? r : c);
    const std::string packed = encode_bytes(rows, 24, 4);
    CHECK(decoded(packed, rows.size(), 24, 4) == rows);
    CHECK(packed.size() < 3 + 23 + 2 + 4 + 220);
    const std::vector<uint8_t> same(48, 7);
    CHECK(encode_bytes(same, 24, 4).size() == 3 + 24);
    CHECK(decoded(encode_bytes(same, 24, 4), 48, 24, 4) == same);
    std::vector<uint8_t> out(48);
    CHECK_THROWS_AS(decode_bytes(encode_bytes(same, 24, 4) + "x", out, 24, 4), FormatError);
    CHECK_THROWS_AS(decode_bytes("x", std::span(out).first(0), 24, 4), FormatError);
}
