#include "compress/codebook_format.h"

#include <doctest/doctest.h>

#include <bit>
#include <random>
#include <set>
#include <vector>

#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

struct Expected {
    ggml_type type;
    size_t n_entries;
};

constexpr Expected expected[] = {{GGML_TYPE_IQ1_S, 2048}, {GGML_TYPE_IQ1_M, 2048}, {GGML_TYPE_IQ2_XXS, 256},
                                 {GGML_TYPE_IQ2_XS, 512}, {GGML_TYPE_IQ2_S, 1024}, {GGML_TYPE_IQ3_XXS, 256},
                                 {GGML_TYPE_IQ3_S, 512}};

/// Any block that the format allows.
CodebookBlock random_block(const CodebookFormat& f, std::mt19937& random) {
    const auto below = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
    CodebookBlock b;
    b.d = ggml_fp32_to_fp16(0.37F);
    for (size_t s = 0; s < static_cast<size_t>(f.n_subs()); s++) b.scale[s] = static_cast<uint8_t>(below(f.n_scales));
    for (size_t i = 0; i < static_cast<size_t>(CodebookFormat::block / f.width); i++)
        b.entry[i] = static_cast<uint16_t>(below(f.n_entries()));
    for (size_t o = 0; o < b.signs.size(); o++) {
        if (f.signs == EntrySigns::in_entry) {
            const bool first = o * CodebookFormat::octet % static_cast<size_t>(f.shift_span) == 0;
            b.shifted[o] = first ? static_cast<uint8_t>(below(2)) : b.shifted[o - 1];
        } else {
            b.signs[o] = static_cast<uint8_t>(below(256));
            if (f.signs == EntrySigns::even && std::popcount(b.signs[o]) % 2 != 0) b.signs[o] ^= 128;
        }
    }
    return b;
}

/// What weight i of a block means, by the header's words.
float meaning(const CodebookFormat& f, const CodebookBlock& b, int i) {
    const auto o = static_cast<size_t>(i / CodebookFormat::octet);
    const float entry =
        f.entries[static_cast<size_t>(b.entry[static_cast<size_t>(i / f.width)] * f.width + i % f.width)];
    const float sign = (b.signs[o] >> (i % CodebookFormat::octet) & 1) != 0 ? -1.0F : 1.0F;
    const float scale = f.unit * static_cast<float>(2 * b.scale[static_cast<size_t>(i / f.sub)] + 1);
    return ggml_fp16_to_fp32(b.d) * scale * (sign * entry + (b.shifted[o] != 0 ? -f.shift : f.shift));
}

}  // namespace

TEST_CASE("codebooks read from the engine have as many different entries as there are indices") {
    for (const auto& [type, n_entries] : expected) {
        CAPTURE(type_label(type));
        const CodebookFormat* f = codebook_format(type);
        REQUIRE(f != nullptr);
        std::set<std::vector<float>> different;
        for (int e = 0; e < f->n_entries(); e++)
            different.emplace(f->entries.begin() + e * f->width, f->entries.begin() + (e + 1) * f->width);
        CHECK(different.size() == n_entries);
        CHECK(static_cast<size_t>(f->n_entries()) == n_entries);
    }
}

TEST_CASE("types without a codebook have no codebook format") {
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q4_K, GGML_TYPE_IQ4_XS, GGML_TYPE_MXFP4})
        CHECK(codebook_format(type) == nullptr);
}

TEST_CASE("the engine decodes a packed codebook block to exactly what it says") {
    std::mt19937 random(1);
    for (const Expected& e : expected) {
        CAPTURE(type_label(e.type));
        const CodebookFormat& f = *codebook_format(e.type);
        for (int repeat = 0; repeat < 20; repeat++) {
            const CodebookBlock b = random_block(f, random);
            std::vector<std::byte> packed(ggml_type_size(f.type));
            pack(f, b, packed.data());
            std::vector<float> decoded(CodebookFormat::block);
            to_float(f.type, packed.data(), decoded.data(), CodebookFormat::block);
            for (int i = 0; i < CodebookFormat::block; i++)
                REQUIRE(decoded[static_cast<size_t>(i)] == meaning(f, b, i));
            const CodebookBlock back = unpack_scales(f, packed.data());
            CHECK(back.d == b.d);
            CHECK(back.scale == b.scale);
        }
    }
}

}  // namespace ech0
