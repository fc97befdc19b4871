#include "kv/number_code.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

using namespace ech0;

namespace {

std::span<const uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("numbers: what is written is read again, the smallest and the largest, whatever was expected") {
    std::vector<int32_t> numbers = {0, 1, -1, 2, -2, 3, 1000, -70'000, INT32_MAX, -INT32_MAX, INT32_MIN};
    std::mt19937 random(1);
    for (int i = 0; i < 500; i++) numbers.push_back(static_cast<int32_t>(random() >> (random() % 32)) / 2);
    const auto near = [](size_t i) { return i % 7 == 0 ? INT64_MAX : static_cast<int64_t>(i % 5) * 1000 - 1000; };
    NumberWriter writer;
    for (size_t i = 0; i < numbers.size(); i++) {
        writer.put(numbers[i], near(i));
        writer.toss(static_cast<uint32_t>(i % 32), 5);
    }
    const std::string bytes = writer.finish();
    NumberReader reader(as_bytes(bytes));
    for (size_t i = 0; i < numbers.size(); i++) {
        CHECK(reader.get(near(i)) == numbers[i]);
        CHECK(reader.toss(5) == i % 32);
    }
    CHECK(!reader.overrun());
    reader.toss(32);
    CHECK(reader.overrun());
}

TEST_CASE("numbers: each cut of a text is noticed by the time all its numbers are read") {
    NumberWriter writer;
    for (int32_t i = 0; i < 100; i++) writer.put(i % 9 - 4, 8);
    const std::string bytes = writer.finish();
    for (size_t n = 0; n < bytes.size(); n++) {
        const std::string cut = bytes.substr(0, n);
        NumberReader reader(as_bytes(cut));
        int wrong = 0;
        for (int32_t i = 0; i < 100; i++) wrong += reader.get(8) != i % 9 - 4;
        CHECK((reader.overrun() || wrong == 0));
        if (n + 1 < bytes.size()) CHECK(reader.overrun());
    }
}

TEST_CASE("numbers cost near their entropy where it is known how large they are") {
    // Normal with a deviation of 30: log2(30 sqrt(2 pi e)) = 6.95 bits.
    std::mt19937 random(2);
    NumberWriter writer;
    RecentMagnitude size;
    constexpr int n = 20'000;
    for (int i = 0; i < n; i++) {
        const auto value = static_cast<int32_t>(std::lround(std::normal_distribution<double>(0, 30)(random)));
        writer.put(value, size.times_four());
        size.add(value);
    }
    const double bits = 8.0 * static_cast<double>(writer.finish().size()) / n;
    CHECK(bits > 6.9);
    CHECK(bits < 7.3);
    CHECK(size.times_four() > 4 * 12);
    CHECK(size.times_four() < 4 * 45);
}
