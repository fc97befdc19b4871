#include "compress/codebook_format.h"

#include <algorithm>
#include <cstring>

namespace ech0 {
namespace {

void put16(uint8_t* to, uint32_t value) {
    const auto low = static_cast<uint16_t>(value);
    std::memcpy(to, &low, 2);
}

void put32(uint8_t* to, uint32_t value) { std::memcpy(to, &value, 4); }

uint32_t get16(const uint8_t* from) {
    uint16_t value;
    std::memcpy(&value, from, 2);
    return value;
}

/// Seven signs of each of four octets and a scale of 32 weights in 32 bits: IQ2_XXS, IQ3_XXS.
uint32_t signs_and_scale(const CodebookBlock& b, size_t i) {
    uint32_t bits = static_cast<uint32_t>(b.scale[i]) << 28;
    for (size_t l = 0; l < 4; l++) bits |= static_cast<uint32_t>(b.signs[4 * i + l] & 127) << (7 * l);
    return bits;
}

/// Two scales per byte, the first in the low bits.
void pack_nibbles(const uint8_t* scale, size_t n_bytes, uint8_t* out) {
    for (size_t i = 0; i < n_bytes; i++) out[i] = static_cast<uint8_t>(scale[2 * i] | scale[2 * i + 1] << 4);
}

void pack_iq2_xxs(const CodebookBlock& b, uint8_t* out) {
    put16(out, b.d);
    for (size_t i = 0; i < 8; i++) {
        for (size_t l = 0; l < 4; l++) out[2 + 8 * i + l] = static_cast<uint8_t>(b.entry[4 * i + l]);
        put32(out + 6 + 8 * i, signs_and_scale(b, i));
    }
}

void pack_iq2_xs(const CodebookBlock& b, uint8_t* out) {
    put16(out, b.d);
    for (size_t i = 0; i < 32; i++) put16(out + 2 + 2 * i, b.entry[i] | (b.signs[i] & 127U) << 9);
    pack_nibbles(b.scale.data(), 8, out + 66);
}

void pack_iq2_s(const CodebookBlock& b, uint8_t* out) {
    put16(out, b.d);
    for (size_t i = 0; i < 32; i++) {
        out[2 + i] = static_cast<uint8_t>(b.entry[i]);
        out[34 + i] = b.signs[i];
        out[66 + i / 4] |= static_cast<uint8_t>(b.entry[i] >> 8 << (2 * (i % 4)));
    }
    pack_nibbles(b.scale.data(), 8, out + 74);
}

void pack_iq3_xxs(const CodebookBlock& b, uint8_t* out) {
    put16(out, b.d);
    for (size_t i = 0; i < 64; i++) out[2 + i] = static_cast<uint8_t>(b.entry[i]);
    for (size_t i = 0; i < 8; i++) put32(out + 66 + 4 * i, signs_and_scale(b, i));
}

void pack_iq3_s(const CodebookBlock& b, uint8_t* out) {
    put16(out, b.d);
    for (size_t i = 0; i < 64; i++) {
        out[2 + i] = static_cast<uint8_t>(b.entry[i]);
        out[66 + i / 8] |= static_cast<uint8_t>(b.entry[i] >> 8 << (i % 8));
    }
    std::copy(b.signs.begin(), b.signs.end(), out + 74);
    pack_nibbles(b.scale.data(), 4, out + 106);
}

void pack_iq1_s(const CodebookBlock& b, uint8_t* out) {
    put16(out, b.d);
    for (size_t i = 0; i < 8; i++) {
        uint32_t high = static_cast<uint32_t>(b.scale[i]) << 12 | static_cast<uint32_t>(b.shifted[4 * i]) << 15;
        for (size_t l = 0; l < 4; l++) {
            out[2 + 4 * i + l] = static_cast<uint8_t>(b.entry[4 * i + l]);
            high |= static_cast<uint32_t>(b.entry[4 * i + l] >> 8) << (3 * l);
        }
        put16(out + 34 + 2 * i, high);
    }
}

/// d has no place of its own: its bits are the top four of each of the four words of scales.
void pack_iq1_m(const CodebookBlock& b, uint8_t* out) {
    for (size_t i = 0; i < 32; i++) {
        out[i] = static_cast<uint8_t>(b.entry[i]);
        out[32 + i / 2] |= static_cast<uint8_t>((b.entry[i] >> 8 | b.shifted[i] << 3) << (4 * (i % 2)));
    }
    for (size_t i = 0; i < 4; i++) {
        uint32_t word = (b.d >> (4 * i) & 15U) << 12;
        for (size_t s = 0; s < 4; s++) word |= static_cast<uint32_t>(b.scale[4 * i + s]) << (3 * s);
        put16(out + 48 + 2 * i, word);
    }
}

/// Every entry once, in blocks of scale 1.
void read_entries(CodebookFormat& f, int n_entries) {
    const int per_block = CodebookFormat::block / f.width;
    std::vector<std::byte> packed(ggml_type_size(f.type));
    f.entries.resize(static_cast<size_t>(n_entries * f.width));
    for (int first = 0; first < n_entries; first += per_block) {
        CodebookBlock b;
        b.d = ggml_fp32_to_fp16(1 / f.unit);
        for (int i = 0; i < per_block; i++) b.entry[static_cast<size_t>(i)] = static_cast<uint16_t>(first + i);
        pack(f, b, packed.data());
        ggml_get_type_traits(f.type)->to_float(packed.data(), f.entries.data() + first * f.width,
                                               CodebookFormat::block);
    }
    for (float& x : f.entries) x -= f.shift;
}

std::vector<CodebookFormat> make_formats() {
    std::vector<CodebookFormat> all;
    const auto add = [&](ggml_type type, int n_entries, int width, int sub, int n_scales, float unit, EntrySigns signs,
                         int shift_span) {
        all.push_back({type, width, sub, n_scales, unit, signs, shift_span, shift_span > 0 ? 0.125F : 0.0F, {}});
        read_entries(all.back(), n_entries);
    };
    add(GGML_TYPE_IQ1_S, 2048, 8, 32, 8, 1.0F, EntrySigns::in_entry, 32);
    add(GGML_TYPE_IQ1_M, 2048, 8, 16, 8, 1.0F, EntrySigns::in_entry, 8);
    add(GGML_TYPE_IQ2_XXS, 256, 8, 32, 16, 0.125F, EntrySigns::even, 0);
    add(GGML_TYPE_IQ2_XS, 512, 8, 16, 16, 0.125F, EntrySigns::even, 0);
    add(GGML_TYPE_IQ2_S, 1024, 8, 16, 16, 0.125F, EntrySigns::any, 0);
    add(GGML_TYPE_IQ3_XXS, 256, 4, 32, 16, 0.25F, EntrySigns::even, 0);
    add(GGML_TYPE_IQ3_S, 512, 4, 32, 16, 1.0F, EntrySigns::any, 0);
    return all;
}

}  // namespace

const CodebookFormat* codebook_format(ggml_type type) {
    static const std::vector<CodebookFormat> formats = make_formats();
    const auto found =
        std::find_if(formats.begin(), formats.end(), [type](const CodebookFormat& f) { return f.type == type; });
    return found == formats.end() ? nullptr : &*found;
}

void pack(const CodebookFormat& format, const CodebookBlock& b, std::byte* to) {
    auto* out = reinterpret_cast<uint8_t*>(to);
    std::memset(out, 0, ggml_type_size(format.type));
    switch (format.type) {
        case GGML_TYPE_IQ1_S: pack_iq1_s(b, out); break;
        case GGML_TYPE_IQ1_M: pack_iq1_m(b, out); break;
        case GGML_TYPE_IQ2_XXS: pack_iq2_xxs(b, out); break;
        case GGML_TYPE_IQ2_XS: pack_iq2_xs(b, out); break;
        case GGML_TYPE_IQ2_S: pack_iq2_s(b, out); break;
        case GGML_TYPE_IQ3_XXS: pack_iq3_xxs(b, out); break;
        case GGML_TYPE_IQ3_S: pack_iq3_s(b, out); break;
        default: break;
    }
}

CodebookBlock unpack_scales(const CodebookFormat& format, const std::byte* packed) {
    const auto* in = reinterpret_cast<const uint8_t*>(packed);
    CodebookBlock b;
    b.d = static_cast<ggml_fp16_t>(get16(in));
    const auto nibble = [](const uint8_t* from, size_t i) { return from[i / 2] >> (4 * (i % 2)) & 15; };
    for (size_t s = 0; s < static_cast<size_t>(format.n_subs()); s++) {
        uint32_t k = 0;
        switch (format.type) {
            case GGML_TYPE_IQ1_S: k = get16(in + 34 + 2 * s) >> 12 & 7; break;
            case GGML_TYPE_IQ1_M: k = get16(in + 48 + s / 4 * 2) >> (3 * (s % 4)) & 7; break;
            case GGML_TYPE_IQ2_XXS: k = in[9 + 8 * s] >> 4; break;
            case GGML_TYPE_IQ2_XS: k = nibble(in + 66, s); break;
            case GGML_TYPE_IQ2_S: k = nibble(in + 74, s); break;
            case GGML_TYPE_IQ3_XXS: k = in[69 + 4 * s] >> 4; break;
            case GGML_TYPE_IQ3_S: k = nibble(in + 106, s); break;
            default: break;
        }
        b.scale[s] = static_cast<uint8_t>(k);
    }
    if (format.type == GGML_TYPE_IQ1_M) {
        b.d = 0;
        for (size_t i = 0; i < 4; i++) b.d |= static_cast<ggml_fp16_t>(get16(in + 48 + 2 * i) >> 12 << (4 * i));
    }
    return b;
}

}  // namespace ech0
