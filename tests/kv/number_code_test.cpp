#include "kv/number_code.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>

using namespace ech0;

namespace {

const NumberContexts contexts = {3, 1, 2, 1};

std::span<const uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

NumberContexts context_of(size_t i) { return {static_cast<int64_t>(i % 3), 0, static_cast<int64_t>(i % 2), 0}; }

}  // namespace

TEST_CASE("numbers: what is written is read again, the smallest and the largest, with tossed bits between") {
    std::vector<int32_t> numbers = {0, 1, -1, 2, -2, 3, 1000, -70'000, INT32_MAX, -INT32_MAX};
    std::mt19937 random(1);
    for (int i = 0; i < 500; i++) numbers.push_back(static_cast<int32_t>(random() >> (random() % 32)) / 2);
    NumberWriter writer(contexts);
    for (size_t i = 0; i < numbers.size(); i++) {
        writer.put(numbers[i], context_of(i));
        writer.toss(static_cast<uint32_t>(i % 32), 5);
    }
    const std::string bytes = writer.finish();
    NumberReader reader(as_bytes(bytes), contexts);
    for (size_t i = 0; i < numbers.size(); i++) {
        CHECK(reader.get(context_of(i)) == numbers[i]);
        CHECK(reader.toss(5) == i % 32);
    }
    CHECK(!reader.overrun());
    const std::string half = bytes.substr(0, bytes.size() / 2);
    NumberReader cut(as_bytes(half), contexts);
    for (size_t i = 0; i < numbers.size(); i++) {
        cut.get(context_of(i));
        cut.toss(5);
    }
    CHECK(cut.overrun());
}

TEST_CASE("numbers: what their context tells is not paid for, and the rest costs near its entropy") {
    // Normal with a deviation of 3 in one context, always zero in the other: entropy log2(3 sqrt(2 pi e)) = 3.63 bits.
    std::mt19937 random(2);
    NumberWriter writer({2, 1, 1, 1});
    constexpr int n = 20'000;
    for (int i = 0; i < n; i++) {
        writer.put(static_cast<int32_t>(std::lround(std::normal_distribution<double>(0, 3)(random))), {0, 0, 0, 0});
        writer.put(0, {1, 0, 0, 0});
    }
    const double bits = 8.0 * static_cast<double>(writer.finish().size()) / n;
    CHECK(bits > 3.6);
    CHECK(bits < 3.85);
}

TEST_CASE("numbers: lengths of magnitudes") {
    CHECK(length_of(0) == 0);
    CHECK(length_of(1) == 1);
    CHECK(length_of(7) == 3);
    CHECK(length_of(8) == 4);
    CHECK(length_of(int64_t{1} << 40) == 15);
}
