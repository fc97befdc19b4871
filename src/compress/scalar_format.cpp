#include "compress/scalar_format.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace ech0 {
namespace {

std::vector<float> integers(int from, int to) {
    std::vector<float> values(static_cast<size_t>(to - from + 1));
    std::iota(values.begin(), values.end(), static_cast<float>(from));
    return values;
}

/// The sixteen levels of IQ4_NL and IQ4_XS, asked of the engine: a block of scale 1 that holds every code.
std::vector<float> iq4_levels() {
    struct {
        ggml_fp16_t d;
        uint8_t codes[16];
    } block = {ggml_fp32_to_fp16(1.0F), {}};
    for (uint8_t i = 0; i < 16; i++) block.codes[i] = i;
    std::vector<float> values(32);
    ggml_get_type_traits(GGML_TYPE_IQ4_NL)->to_float(&block, values.data(), 32);
    values.resize(16);
    return values;
}

std::vector<ScalarFormat> make_formats() {
    const auto plain = [](ggml_type type, int block, bool has_min, int from, int to) {
        return ScalarFormat{type, block, block, has_min, 1, 1, 1, integers(from, to), true};
    };
    std::vector<ScalarFormat> all = {
        plain(GGML_TYPE_Q2_0, 64, false, -1, 2),
        plain(GGML_TYPE_Q4_0, 32, false, -8, 7),
        plain(GGML_TYPE_Q4_1, 32, true, 0, 15),
        plain(GGML_TYPE_Q5_0, 32, false, -16, 15),
        plain(GGML_TYPE_Q5_1, 32, true, 0, 31),
        plain(GGML_TYPE_Q8_0, 32, false, -127, 127),  // -128 fits too, but kernels take absolute values in a byte
        {GGML_TYPE_Q2_K, 256, 16, true, 0, 15, 15, integers(0, 3), true},
        {GGML_TYPE_Q3_K, 256, 16, false, -32, 31, 1, integers(-4, 3), true},
        {GGML_TYPE_Q4_K, 256, 32, true, 0, 63, 63, integers(0, 15), true},
        {GGML_TYPE_Q5_K, 256, 32, true, 0, 63, 63, integers(0, 31), true},
        {GGML_TYPE_Q6_K, 256, 16, false, -128, 127, 1, integers(-32, 31), true},
        {GGML_TYPE_IQ4_NL, 32, 32, false, 1, 1, 1, iq4_levels(), false},
        {GGML_TYPE_IQ4_XS, 256, 32, false, -32, 31, 1, iq4_levels(), false},
    };
    return all;
}

/// Bits in the order of a block, little endian as all of GGUF.
struct Bytes {
    uint8_t* at;
    void half(ggml_fp16_t value) {
        std::memcpy(at, &value, 2);
        at += 2;
    }
    void halves(const ScalarBlock& b) {
        half(b.d);
        half(b.dmin);
    }
    uint8_t* take(size_t n) {
        uint8_t* p = at;
        std::memset(p, 0, n);
        at += n;
        return p;
    }
};

void pack_nibbles(const uint8_t* level, uint8_t* out) {
    for (int j = 0; j < 16; j++) out[j] = static_cast<uint8_t>((level[j] & 15) | (level[j + 16] & 15) << 4);
}

void pack_fifth_bits(const uint8_t* level, uint8_t* out) {
    uint32_t bits = 0;
    for (int j = 0; j < 32; j++) bits |= static_cast<uint32_t>(level[j] >> 4) << j;
    std::memcpy(out, &bits, 4);
}

/// Two bits per weight, 32 weights to a group of 32 bytes: Q2_K, and the low bits of Q3_K.
void pack_pairs(const uint8_t* level, uint8_t* out) {
    for (int i = 0; i < 256; i++)
        out[i / 128 * 32 + i % 32] |= static_cast<uint8_t>((level[i] & 3) << (i % 128 / 32 * 2));
}

/// Eight scales and eight mins of six bits in twelve bytes: Q4_K and Q5_K.
void pack_scales_k4(const ScalarBlock& b, uint8_t* out) {
    for (size_t j = 0; j < 8; j++) {
        const auto s = static_cast<uint8_t>(b.scale[j]), m = static_cast<uint8_t>(b.min[j]);
        if (j < 4) {
            out[j] |= s;
            out[j + 4] |= m;
        } else {
            out[j + 4] |= static_cast<uint8_t>((s & 15) | (m & 15) << 4);
            out[j - 4] |= static_cast<uint8_t>((s >> 4) << 6);
            out[j] |= static_cast<uint8_t>((m >> 4) << 6);
        }
    }
}

void pack_scales_q3(const ScalarBlock& b, uint8_t* out) {
    for (size_t j = 0; j < 16; j++) {
        const auto s = static_cast<uint8_t>(b.scale[j] + 32);
        out[j % 8] |= static_cast<uint8_t>((s & 15) << (j < 8 ? 0 : 4));
        out[8 + j % 4] |= static_cast<uint8_t>((s >> 4) << (2 * (j / 4)));
    }
}

void pack_q4_k_levels(const uint8_t* level, uint8_t* out) {
    for (int i = 0; i < 256; i += 64)
        for (int l = 0; l < 32; l++)
            out[i / 2 + l] = static_cast<uint8_t>((level[i + l] & 15) | (level[i + l + 32] & 15) << 4);
}

void pack_q6_k_levels(const uint8_t* level, uint8_t* low, uint8_t* high) {
    for (int n = 0; n < 2; n++)
        for (int l = 0; l < 32; l++) {
            const uint8_t* q = level + 128 * n + l;
            low[64 * n + l] = static_cast<uint8_t>((q[0] & 15) | (q[64] & 15) << 4);
            low[64 * n + l + 32] = static_cast<uint8_t>((q[32] & 15) | (q[96] & 15) << 4);
            high[32 * n + l] =
                static_cast<uint8_t>(q[0] >> 4 | (q[32] >> 4) << 2 | (q[64] >> 4) << 4 | (q[96] >> 4) << 6);
        }
}

void pack_iq4_xs(const ScalarBlock& b, Bytes out) {
    out.half(b.d);
    uint16_t high = 0;
    uint8_t low[4] = {};
    for (size_t j = 0; j < 8; j++) {
        const auto s = static_cast<uint32_t>(b.scale[j] + 32);
        low[j / 2] |= static_cast<uint8_t>((s & 15) << (4 * (j % 2)));
        high = static_cast<uint16_t>(high | (s >> 4) << (2 * j));
    }
    std::memcpy(out.take(2), &high, 2);
    std::memcpy(out.take(4), low, 4);
    uint8_t* codes = out.take(128);
    for (int j = 0; j < 8; j++) pack_nibbles(b.level.data() + 32 * j, codes + 16 * j);
}

}  // namespace

const ScalarFormat* scalar_format(ggml_type type) {
    static const std::vector<ScalarFormat> formats = make_formats();
    const auto found =
        std::find_if(formats.begin(), formats.end(), [type](const ScalarFormat& f) { return f.type == type; });
    return found == formats.end() ? nullptr : &*found;
}

void pack(const ScalarFormat& format, const ScalarBlock& b, std::byte* to) {
    Bytes out{reinterpret_cast<uint8_t*>(to)};
    const uint8_t* level = b.level.data();
    // Q4_1 and Q5_1 store the offset itself, not what is subtracted.
    const ggml_fp16_t offset = ggml_fp32_to_fp16(-ggml_fp16_to_fp32(b.dmin));
    switch (format.type) {
        case GGML_TYPE_Q2_0: {
            out.half(b.d);
            uint8_t* q = out.take(16);
            for (int i = 0; i < 64; i++) q[i / 4] |= static_cast<uint8_t>(level[i] << (2 * (i % 4)));
            break;
        }
        case GGML_TYPE_IQ4_NL:
        case GGML_TYPE_Q4_0:
            out.half(b.d);
            pack_nibbles(level, out.take(16));
            break;
        case GGML_TYPE_Q4_1:
            out.half(b.d);
            out.half(offset);
            pack_nibbles(level, out.take(16));
            break;
        case GGML_TYPE_Q5_0:
        case GGML_TYPE_Q5_1:
            out.half(b.d);
            if (format.has_min) out.half(offset);
            pack_fifth_bits(level, out.take(4));
            pack_nibbles(level, out.take(16));
            break;
        case GGML_TYPE_Q8_0: {
            out.half(b.d);
            uint8_t* q = out.take(32);
            for (int i = 0; i < 32; i++) q[i] = static_cast<uint8_t>(static_cast<int8_t>(level[i] - 127));
            break;
        }
        case GGML_TYPE_Q2_K: {
            uint8_t* scales = out.take(16);
            for (size_t j = 0; j < 16; j++) scales[j] = static_cast<uint8_t>(b.scale[j] | b.min[j] << 4);
            pack_pairs(level, out.take(64));
            out.halves(b);
            break;
        }
        case GGML_TYPE_Q3_K: {
            uint8_t* high = out.take(32);
            for (int i = 0; i < 256; i++) high[i % 32] |= static_cast<uint8_t>((level[i] >> 2) << (i / 32));
            pack_pairs(level, out.take(64));
            pack_scales_q3(b, out.take(12));
            out.half(b.d);
            break;
        }
        case GGML_TYPE_Q4_K:
            out.halves(b);
            pack_scales_k4(b, out.take(12));
            pack_q4_k_levels(level, out.take(128));
            break;
        case GGML_TYPE_Q5_K: {
            out.halves(b);
            pack_scales_k4(b, out.take(12));
            uint8_t* high = out.take(32);
            for (int i = 0; i < 256; i++) high[i % 32] |= static_cast<uint8_t>((level[i] >> 4) << (i / 32));
            pack_q4_k_levels(level, out.take(128));
            break;
        }
        case GGML_TYPE_Q6_K: {
            uint8_t *low = out.take(128), *high = out.take(64), *scales = out.take(16);
            pack_q6_k_levels(level, low, high);
            for (size_t j = 0; j < 16; j++) scales[j] = static_cast<uint8_t>(static_cast<int8_t>(b.scale[j]));
            out.half(b.d);
            break;
        }
        case GGML_TYPE_IQ4_XS: pack_iq4_xs(b, out); break;
        default: break;
    }
}

}  // namespace ech0
