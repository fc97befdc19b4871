#include "kv/coefficients.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "ech0/error.h"

using namespace ech0;

namespace {

constexpr int32_t step = -32;

std::span<const uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A layer of two heads, K and V, each coefficient spread as its log_spread says.
LayerCodes random_codes(int64_t n_tokens, int16_t widest, unsigned seed) {
    std::mt19937 random(seed);
    LayerCodes codes;
    codes.n_tokens = n_tokens;
    codes.n_head = 2;
    codes.widths = {16, 16, 8, 8};
    for (int64_t i = 0; i < 48; i++) codes.log_spread.push_back(static_cast<int16_t>(widest - 6 * (i % 16)));
    for (int64_t i = 0; i < n_tokens * 2; i++) codes.exponents.push_back(static_cast<int8_t>(random() % 5));
    size_t first = 0;
    for (size_t b = 0; b < codes.widths.size(); first += static_cast<size_t>(codes.widths[b]), b++) {
        std::vector<int32_t>& k = codes.k.emplace_back();
        for (int64_t t = 0; t < n_tokens; t++)
            for (int64_t i = 0; i < codes.widths[b]; i++) {
                const int32_t e = codes.log_spread[first + static_cast<size_t>(i)] - step -
                                  4 * codes.exponents[static_cast<size_t>(t * 2) + b % 2];
                k.push_back(static_cast<int32_t>(
                    std::lround(std::normal_distribution<double>(0, std::exp2(e / 16.0))(random))));
            }
    }
    return codes;
}

LayerCodes shape_of(const LayerCodes& codes) {
    LayerCodes shape = codes;
    shape.exponents.clear();
    shape.k.clear();
    return shape;
}

}  // namespace

TEST_CASE("coefficients: what is written is read again, small and large numbers, with and without learnt statistics") {
    for (const int16_t widest : {-60, 0, 60, 250}) {
        const LayerCodes codes = random_codes(70, widest, 3);
        CoefficientModel learnt(2, 48);
        for (int round = 0; round < 2; round++) {
            const CoefficientModel start = CoefficientModel::parse(learnt.serialized(), 2, 48);
            CoefficientModel model = start;
            const std::string bytes = write_codes(codes, step, model);
            LayerCodes read = shape_of(codes);
            read_codes(as_bytes(bytes), step, start, read);
            CHECK(read.k == codes.k);
            CHECK(read.exponents == codes.exponents);
            learnt = model;
        }
    }
}

TEST_CASE("coefficients: numbers far beyond what was expected still come back") {
    LayerCodes codes = random_codes(3, -40, 5);
    codes.k[0][0] = 8'000'000;
    codes.k[1][5] = -70'000;
    CoefficientModel model(2, 48);
    const std::string bytes = write_codes(codes, step, model);
    LayerCodes read = shape_of(codes);
    read_codes(as_bytes(bytes), step, CoefficientModel(2, 48), read);
    CHECK(read.k == codes.k);
}

TEST_CASE("coefficients: a normal distribution costs near its entropy once its statistics are learnt") {
    const LayerCodes codes = random_codes(2000, 20, 7);
    CoefficientModel learnt(2, 48);
    write_codes(codes, step, learnt);
    CoefficientModel model = learnt;
    const LayerCodes other = random_codes(2000, 20, 8);
    const auto bits = static_cast<double>(8 * write_codes(other, step, model).size());
    double entropy = 0;  // of the rounded normal distribution, by its formula
    for (int64_t t = 0; t < other.n_tokens; t++)
        for (size_t i = 0; i < 48; i++) {
            const size_t block = i < 16 ? 0 : i < 32 ? 1 : i < 40 ? 2 : 3;
            const size_t within = i - std::vector<size_t>{0, 16, 32, 40}[block];
            const int32_t e = other.log_spread[i] - step - 4 * other.exponents[static_cast<size_t>(t * 2) + block % 2];
            const double sigma = std::exp2(e / 16.0) * std::sqrt(2.0);
            const int32_t k = other.k[block][static_cast<size_t>(t * other.widths[block]) + within];
            entropy -= std::log2(std::max(1e-12, 0.5 * (std::erf((k + 0.5) / sigma) - std::erf((k - 0.5) / sigma))));
        }
    entropy += static_cast<double>(other.exponents.size()) * std::log2(5.0);
    CHECK(bits > entropy * 0.99);
    CHECK(bits < entropy * 1.03);
}

TEST_CASE("coefficients: a stream that ends too early is refused or gives other numbers, never more of them") {
    const LayerCodes codes = random_codes(60, 40, 9);
    CoefficientModel model(2, 48);
    const std::string bytes = write_codes(codes, step, model);
    LayerCodes read = shape_of(codes);
    CHECK_THROWS_AS(read_codes(as_bytes(bytes.substr(0, bytes.size() / 2)), step, CoefficientModel(2, 48), read),
                    FormatError);
    for (size_t at = 0; at < bytes.size(); at += 97) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x5a);
        LayerCodes other = shape_of(codes);
        try {
            read_codes(as_bytes(damaged), step, CoefficientModel(2, 48), other);
            CHECK(other.k[0].size() == codes.k[0].size());
        } catch (const FormatError& error) {
            CHECK(std::string(error.what()).find("damaged") != std::string::npos);
        }
    }
}

TEST_CASE("coefficients: statistics of another shape are refused") {
    CHECK_THROWS_AS(CoefficientModel::parse(CoefficientModel(2, 48).serialized(), 2, 49), FormatError);
}
