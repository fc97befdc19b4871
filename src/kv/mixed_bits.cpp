#include "kv/mixed_bits.h"

#include <algorithm>
#include <utility>

namespace ech0 {
namespace {

/// 4096 / (1 + e^(-x / 256)) for x in -2047 … 2047, by interpolation between 33 points (lpaq1).
int32_t squash(int32_t x) {
    static constexpr std::array<int32_t, 33> points = {
        1,    2,    3,    6,    10,   16,   27,   45,   73,   120,  194,  310,  488,  747,  1101, 1546, 2047,
        2549, 2994, 3348, 3607, 3785, 3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094};
    if (x > 2047) return 4095;
    if (x < -2047) return 1;
    const int32_t w = x & 127;
    const auto at = static_cast<size_t>((x >> 7) + 16);
    return (points[at] * (128 - w) + points[at + 1] * w + 64) >> 7;
}

/// The inverse: ln(p / (1 - p)) * 256 for p of 4096.
const std::array<int16_t, 4096>& stretch_table() {
    static const std::array<int16_t, 4096> table = [] {
        std::array<int16_t, 4096> t{};
        int32_t p = 0;
        for (int32_t x = -2047; x <= 2047; x++) {
            const int32_t v = squash(x);
            for (; p <= v; p++) t[static_cast<size_t>(p)] = static_cast<int16_t>(x);
        }
        for (; p < 4096; p++) t[static_cast<size_t>(p)] = 2047;
        return t;
    }();
    return table;
}

constexpr uint16_t slowest = 255;  // a counter ends up as a mean over about this many bits
constexpr int32_t learning_rate = 6;

const std::array<uint32_t, slowest + 1>& rates() {
    static const std::array<uint32_t, slowest + 1> table = [] {
        std::array<uint32_t, slowest + 1> t{};
        for (uint32_t n = 0; n <= slowest; n++) t[n] = 65536 * 2 / (2 * n + 3);
        return t;
    }();
    return table;
}

}  // namespace

uint32_t BitPredictor::predict(std::array<BitCounter*, n_mixed> counters, MixerWeights& weights) {
    counters_ = counters;
    weights_ = &weights;
    const auto& stretch = stretch_table();
    int64_t sum = 0;
    for (size_t i = 0; i < counters.size(); i++) {
        stretched_[i] = stretch[counters[i]->p >> 4];
        sum += int64_t{stretched_[i]} * weights[i];
    }
    mixed_ = squash(static_cast<int32_t>(std::clamp<int64_t>(sum >> 16, -2047, 2047)));
    return static_cast<uint32_t>(mixed_) * 16 + 8;
}

void BitPredictor::learn(bool bit) {
    const int32_t error = ((bit ? 4095 : 0) - mixed_) * learning_rate;
    for (size_t i = 0; i < counters_.size(); i++) {
        (*weights_)[i] += (stretched_[i] * error + 0x2000) >> 14;
        BitCounter& c = *counters_[i];
        const int32_t wanted = bit ? 65535 : 0;
        const int64_t step = (int64_t{wanted} - c.p) * rates()[c.n];
        c.p = static_cast<uint16_t>(std::clamp<int64_t>(c.p + step / 65536, 16, 65519));
        if (c.n < slowest) c.n++;
    }
}

void MixedBitWriter::put(bool bit, uint32_t p1) {
    const uint32_t range = high_ - low_;
    const uint32_t middle = low_ + (range >> 16) * p1 + (((range & 0xffff) * p1) >> 16);
    if (bit)
        high_ = middle;
    else
        low_ = middle + 1;
    while (((low_ ^ high_) & 0xff000000) == 0) {
        out_.push_back(static_cast<char>(high_ >> 24));
        low_ <<= 8;
        high_ = (high_ << 8) | 255;
    }
}

std::string MixedBitWriter::finish() {
    for (int i = 0; i < 4; i++, low_ <<= 8) out_.push_back(static_cast<char>(low_ >> 24));
    low_ = 0;
    high_ = 0xffffffff;
    return std::exchange(out_, {});
}

MixedBitReader::MixedBitReader(std::span<const uint8_t> bytes) : bytes_(bytes) {
    for (int i = 0; i < 4; i++) value_ = (value_ << 8) | next();
}

uint8_t MixedBitReader::next() {
    if (at_ < bytes_.size()) return bytes_[at_++];
    beyond_++;
    return 0;
}

bool MixedBitReader::get(uint32_t p1) {
    const uint32_t range = high_ - low_;
    const uint32_t middle = low_ + (range >> 16) * p1 + (((range & 0xffff) * p1) >> 16);
    const bool bit = value_ <= middle;
    if (bit)
        high_ = middle;
    else
        low_ = middle + 1;
    while (((low_ ^ high_) & 0xff000000) == 0) {
        low_ <<= 8;
        high_ = (high_ << 8) | 255;
        value_ = (value_ << 8) | next();
    }
    return bit;
}

}  // namespace ech0
