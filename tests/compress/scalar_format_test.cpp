#include "compress/scalar_format.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

constexpr ggml_type all_types[] = {GGML_TYPE_Q2_0, GGML_TYPE_Q4_0,   GGML_TYPE_Q4_1,  GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
                                   GGML_TYPE_Q8_0, GGML_TYPE_Q2_K,   GGML_TYPE_Q3_K,  GGML_TYPE_Q4_K, GGML_TYPE_Q5_K,
                                   GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS};

class RandomBlocks {
public:
    explicit RandomBlocks(const ScalarFormat& format) : f_(format) {}

    /// Whole numbers over all that the format can store, d and dmin of any sign.
    ScalarBlock next() {
        ScalarBlock b;
        b.d = any_half();
        if (f_.has_min) b.dmin = any_half();
        for (size_t s = 0; s < static_cast<size_t>(f_.n_subs()); s++) {
            b.scale[s] = static_cast<int16_t>(between(f_.least_scale, f_.most_scale));
            b.min[s] = static_cast<int16_t>(f_.has_min && f_.has_scales() ? between(0, f_.most_min) : 1);
        }
        for (size_t k = 0; k < static_cast<size_t>(f_.block); k++)
            b.level[k] = static_cast<uint8_t>(between(0, static_cast<int>(f_.levels.size()) - 1));
        return b;
    }

private:
    int between(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
    ggml_fp16_t any_half() { return ggml_fp32_to_fp16(std::normal_distribution<float>(0, 0.1F)(random_)); }

    const ScalarFormat& f_;
    std::mt19937 random_{1};
};

/// Does v = (d scale) level - (dmin min), as the engine may compute it: in two roundings, or in one?
bool is_value(const ScalarFormat& f, const ScalarBlock& b, size_t k, float v) {
    const size_t s = k / static_cast<size_t>(f.sub);
    const float step = ggml_fp16_to_fp32(b.d) * (f.has_scales() ? static_cast<float>(b.scale[s]) : 1.0F);
    const float offset = ggml_fp16_to_fp32(b.dmin) * (f.has_scales() ? static_cast<float>(b.min[s]) : 1.0F);
    const float level = f.levels[b.level[k]];
    if (!f.has_min) return v == step * level;
    // Through a volatile, or the compiler may make one rounding of the two.
    const volatile float product = step * level;
    return v == product - offset || v == std::fma(step, level, -offset);
}

}  // namespace

TEST_CASE("every level and every whole scale comes back from the engine as d x scale x level - dmin x min") {
    for (const ggml_type type : all_types) {
        CAPTURE(type_label(type));
        const ScalarFormat* f = scalar_format(type);
        REQUIRE(f != nullptr);
        RandomBlocks blocks(*f);
        std::vector<float> values(static_cast<size_t>(f->block));
        int wrong = 0;
        for (int i = 0; i < 400; i++) {
            const ScalarBlock b = blocks.next();
            std::vector<std::byte> bytes(ggml_type_size(type));
            pack(*f, b, bytes.data());
            ggml_get_type_traits(type)->to_float(bytes.data(), values.data(), f->block);
            for (size_t k = 0; k < values.size(); k++) wrong += is_value(*f, b, k, values[k]) ? 0 : 1;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("packing fills a block of the engine's size, whatever lay there, and not a byte more") {
    for (const ggml_type type : all_types) {
        CAPTURE(type_label(type));
        const ScalarFormat& f = *scalar_format(type);
        CHECK(f.block == ggml_blck_size(type));
        CHECK(f.block % f.sub == 0);
        const ScalarBlock b = RandomBlocks(f).next();
        const size_t size = ggml_type_size(type);
        std::vector<std::byte> zeros(size + 16), ones(size + 16, std::byte{0xFF});
        pack(f, b, zeros.data());
        pack(f, b, ones.data());
        CHECK(std::equal(zeros.begin(), zeros.begin() + static_cast<std::ptrdiff_t>(size), ones.begin()));
        for (size_t i = size; i < size + 16; i++) {
            CHECK(zeros[i] == std::byte{0});
            CHECK(ones[i] == std::byte{0xFF});
        }
    }
}

TEST_CASE("levels ascend, and the two IQ4 types share sixteen that are not evenly spaced") {
    for (const ggml_type type : all_types) {
        CAPTURE(type_label(type));
        const ScalarFormat& f = *scalar_format(type);
        CHECK(std::adjacent_find(f.levels.begin(), f.levels.end(), std::greater_equal<>()) == f.levels.end());
        bool even = true;
        for (size_t i = 1; i < f.levels.size(); i++) even = even && f.levels[i] - f.levels[i - 1] == 1;
        CHECK(even == f.uniform);
    }
    const std::vector<float>& levels = scalar_format(GGML_TYPE_IQ4_NL)->levels;
    CHECK(levels.size() == 16);
    CHECK(levels == scalar_format(GGML_TYPE_IQ4_XS)->levels);
    CHECK(levels.front() == -127);  // ggml-common.h, kvalues_iq4nl
    CHECK(levels.back() == 113);
}

TEST_CASE("codebook types and plain floats are not levels on a line") {
    for (const ggml_type type : {GGML_TYPE_IQ2_XS, GGML_TYPE_IQ3_S, GGML_TYPE_IQ1_S, GGML_TYPE_F16, GGML_TYPE_F32})
        CHECK(scalar_format(type) == nullptr);
}

}  // namespace ech0
