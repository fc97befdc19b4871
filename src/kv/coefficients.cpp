#include "kv/coefficients.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/bytes.h"
#include "ech0/error.h"
#include "kv/number_code.h"

namespace ech0 {
namespace {

constexpr int64_t n_scale = 40, n_bin = 8, n_activity = 8, n_near = 24;
constexpr int64_t n_exponent_tree = 64;
constexpr int32_t n_unary = 15;

// Where each kind of counter begins.
struct Places {
    int64_t scale = 0, activity = 0, near = 0, place = 0, escape = 0, exponent = 0, n = 0;
    Places(int64_t n_head, int64_t n_coefficients) {
        activity = scale + n_scale * n_bin;
        near = activity + n_scale / 2 * n_activity * n_bin;
        place = near + n_scale / 2 * n_near * n_bin;
        escape = place + n_coefficients * n_bin;
        exponent = escape + 64;
        n = exponent + n_exponent_tree * (64 + 64 + n_head + 1);
    }
};
constexpr int64_t n_mixers = n_bin * (n_scale / 8) + 2;

/// 2^(x / 16) * 256, for x from -160 to 320.
int64_t power_of_two(int32_t x) {
    static constexpr std::array<int64_t, 16> steps = {65536, 68438, 71468,  74632,  77936,  81386,  84990,  88752,
                                                      92682, 96785, 101070, 105545, 110218, 115098, 120194, 125515};
    x = std::clamp(x, -160, 320);
    const int32_t octave = (x + 160) / 16 - 10;
    const int64_t mantissa = steps[static_cast<size_t>((x + 160) % 16)];
    return octave >= 0 ? (mantissa << octave) >> 8 : mantissa >> (8 - octave);
}

int64_t level_of(int64_t value, std::span<const int64_t> bounds) {
    return std::upper_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
}

// Bits in and out through one function, so that the contexts exist once.
struct Writing {
    MixedBitWriter io;
    bool coded(bool bit, uint32_t p) {
        io.put(bit, p);
        return bit;
    }
};
struct Reading {
    MixedBitReader io;
    bool coded(bool, uint32_t p) { return io.get(p); }
};

template <class Direction>
class LayerCoder {
public:
    LayerCoder(Direction& direction, CoefficientModel& model, const LayerCodes& codes, int32_t step)
        : io_(direction),
          model_(model),
          codes_(codes),
          step_(step),
          n_coefficients_(static_cast<int64_t>(codes.log_spread.size())),
          places_(codes.n_head, n_coefficients_),
          before_(static_cast<size_t>(n_coefficients_), 16) {}

    void exponents(int8_t* e, const int8_t* previous) {
        for (int64_t h = 0; h < codes_.n_head; h++) {
            const int64_t before = previous == nullptr ? 0 : previous[h] + 32;
            const int64_t beside = h == 0 ? 0 : e[h - 1] + 32;
            e[h] = static_cast<int8_t>(exponent(e[h] + 32, h, before, beside) - 32);
        }
    }

    /// One vector of coefficients.
    void vector(int32_t* k, int64_t width, int64_t first, int64_t exponent) {
        int64_t activity = 16, last = 16, one_before = 16;
        for (int64_t i = 0; i < width; i++) {
            const auto at = static_cast<size_t>(first + i);
            const auto e = static_cast<int32_t>(codes_.log_spread[at] - step_ - 4 * exponent);
            const int64_t expected = power_of_two(e);  // of 256
            k[i] = coefficient(k[i], e, first + i, activity, last, before_[at]);
            const int64_t found =
                std::min<int64_t>(64, int64_t{std::abs(k[i])} * 16 * 320 / std::max<int64_t>(expected, 1));
            if (expected >= 64) {  // smaller ones are nearly always 0 and say nothing
                activity = (activity * 7 + found + 4) / 8;
                one_before = last;
                last = (found * 2 + one_before + 1) / 3;
                before_[at] = static_cast<uint8_t>((found * 2 + before_[at] + 1) / 3);
            }
        }
    }

private:
    bool bit(bool value, std::array<int64_t, n_mixed> where, int64_t mixer) {
        std::array<BitCounter*, n_mixed> counters{};
        for (size_t i = 0; i < where.size(); i++) counters[i] = &model_.counters[static_cast<size_t>(where[i])];
        const uint32_t p = predictor_.predict(counters, model_.mixers[static_cast<size_t>(mixer)]);
        value = io_.coded(value, p);
        predictor_.learn(value);
        return value;
    }
    bool toss(bool value) { return io_.coded(value, 32768); }

    int32_t coefficient(int32_t k, int32_t e, int64_t place, int64_t activity, int64_t last, int64_t before) {
        static constexpr std::array<int64_t, n_activity - 1> activities = {6, 9, 12, 15, 19, 25, 36};
        static constexpr std::array<int64_t, 5> lasts = {5, 10, 16, 24, 36};
        static constexpr std::array<int64_t, 3> befores = {7, 15, 27};
        const int32_t shift = std::clamp((e >> 4) - 2, 0, 20);
        const int64_t scale = std::clamp((e - 16 * shift + 96) / 4, 0, static_cast<int32_t>(n_scale - 1));
        const int64_t act = places_.activity + (scale / 2 * n_activity + level_of(activity, activities)) * n_bin;
        const int64_t near =
            places_.near + ((scale / 2 * 6 + level_of(last, lasts)) * 4 + level_of(before, befores)) * n_bin;
        const int64_t magnitude = std::abs(int64_t{k});
        const auto high = static_cast<int32_t>(magnitude >> shift);
        int32_t n = 0;
        for (; n < n_unary; n++) {
            const int64_t b = std::min<int64_t>(n, n_bin - 1);
            if (!bit(high > n,
                     {places_.scale + scale * n_bin + b, act + b, near + b, places_.place + place * n_bin + b},
                     b * (n_scale / 8) + scale / 8))
                break;
        }
        int64_t found = n == n_unary ? n + escape(high - n) : n;
        for (int32_t s = shift - 1; s >= 0; s--) found = found * 2 + (toss((magnitude >> s) & 1) ? 1 : 0);
        if (found == 0) return 0;
        found = std::min<int64_t>(found, INT32_MAX);
        return static_cast<int32_t>(toss(k < 0) ? -found : found);
    }

    /// Exp-Golomb: the length, learnt, then the bits.
    int64_t escape(int64_t value) {
        int64_t length = 0;
        while (((value + 1) >> (length + 1)) != 0) length++;
        int64_t n = 0;
        for (; n < 24; n++) {
            const int64_t c = places_.escape + n;
            if (!bit(n < length, {c, c, c, c}, n_mixers - 1)) break;
        }
        int64_t found = 1;
        for (int64_t s = n - 1; s >= 0; s--) found = found * 2 + (toss(((value + 1) >> s) & 1) ? 1 : 0);
        return found - 1;
    }

    int64_t exponent(int64_t value, int64_t head, int64_t before, int64_t beside) {
        int64_t node = 1;
        for (int64_t s = 5; s >= 0; s--) {
            const int64_t base = places_.exponent + node;
            const std::array<int64_t, n_mixed> where = {base, base + n_exponent_tree * (1 + before),
                                                        base + n_exponent_tree * (65 + head),
                                                        base + n_exponent_tree * (1 + beside / 2 * 2)};
            node = node * 2 + (bit((value >> s) & 1, where, n_mixers - 2) ? 1 : 0);
        }
        return node - 64;
    }

    Direction& io_;
    CoefficientModel& model_;
    const LayerCodes& codes_;
    int32_t step_;
    int64_t n_coefficients_;
    Places places_;
    std::vector<uint8_t> before_;  ///< of each coefficient, how large it was in the tokens before, 16 = as expected
    BitPredictor predictor_;
};

template <class Direction>
void code_layer(Direction& direction, CoefficientModel& model, LayerCodes& codes, int32_t step) {
    LayerCoder<Direction> coder(direction, model, codes, step);
    for (int64_t t = 0; t < codes.n_tokens; t++) {
        int8_t* e = codes.exponents.data() + t * codes.n_head;
        coder.exponents(e, t == 0 ? nullptr : e - codes.n_head);
        int64_t first = 0;
        for (size_t b = 0; b < codes.widths.size(); b++) {
            const int64_t width = codes.widths[b];
            coder.vector(codes.k[b].data() + t * width, width, first, e[static_cast<int64_t>(b) % codes.n_head]);
            first += width;
        }
        if constexpr (std::is_same_v<Direction, Reading>)
            if (direction.io.overrun()) throw FormatError("the layer's coefficients end too early: damaged");
    }
}

}  // namespace

CoefficientModel::CoefficientModel(int64_t n_head, int64_t n_coefficients)
    : counters(static_cast<size_t>(Places(n_head, n_coefficients).n)),
      mixers(static_cast<size_t>(n_mixers), MixerWeights{24000, 16000, 16000, 16000}) {}

namespace {

// Counters that saw much would be slow to follow another text: they count as at most this many bits.
constexpr uint16_t most_seen = 40;
constexpr int count_bits = 6, kept_bits = 12;  // of the count, of the probability

}  // namespace

std::string CoefficientModel::serialized() const {
    NumberWriter coder;
    for (const BitCounter& counter : counters) {
        coder.toss(counter.n > 0 ? 1 : 0, 1);
        if (counter.n == 0) continue;
        coder.toss(std::min(counter.n, most_seen), count_bits);
        coder.toss(counter.p >> (16 - kept_bits), kept_bits);
    }
    std::string out;
    for (const MixerWeights& w : mixers) out.append(reinterpret_cast<const char*>(w.data()), sizeof w);
    return out + coder.finish();
}

CoefficientModel CoefficientModel::parse(std::string_view bytes, int64_t n_head, int64_t n_coefficients) {
    CoefficientModel model(n_head, n_coefficients);
    const size_t least = model.mixers.size() * sizeof(MixerWeights);
    if (bytes.size() < least)
        throw FormatError(fmt::format("statistics of coefficients: {} bytes, wanted at least {}", bytes.size(), least));
    for (MixerWeights& w : model.mixers) {
        std::memcpy(w.data(), bytes.data(), sizeof w);
        for (int32_t& x : w) x = std::clamp(x, -(1 << 22), 1 << 22);
        bytes.remove_prefix(sizeof w);
    }
    NumberReader coder(bytes_of(bytes));
    for (BitCounter& c : model.counters) {
        if (coder.toss(1) == 0) continue;
        c.n = static_cast<uint16_t>(coder.toss(count_bits));
        c.p = static_cast<uint16_t>((coder.toss(kept_bits) << (16 - kept_bits)) + (1U << (15 - kept_bits)));
        c.p = std::clamp<uint16_t>(c.p, 16, 65519);
    }
    if (coder.overrun()) throw FormatError("statistics of coefficients that end too early");
    return model;
}

std::string write_codes(const LayerCodes& codes, int32_t step, CoefficientModel& model) {
    LayerCodes copy = codes;  // coding in place gives back what it was given
    Writing out;
    code_layer(out, model, copy, step);
    return out.io.finish();
}

void read_codes(std::span<const uint8_t> bytes, int32_t step, CoefficientModel model, LayerCodes& codes) {
    codes.exponents.assign(static_cast<size_t>(codes.n_tokens * codes.n_head), 0);
    codes.k.resize(codes.widths.size());
    for (size_t b = 0; b < codes.widths.size(); b++)
        codes.k[b].assign(static_cast<size_t>(codes.n_tokens * codes.widths[b]), 0);
    Reading in{MixedBitReader(bytes)};
    code_layer(in, model, codes, step);
}

}  // namespace ech0
