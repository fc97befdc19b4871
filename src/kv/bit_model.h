#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

// Probabilities of bits that learn over long streams, and a mixture of several of them (Mahoney, "Adaptive weighing of
// context models for lossless data compression", 2005): finer and slower to settle than those of mixed_bits.h, which
// begin with what calibration learnt. All of it is integer arithmetic, so that what one machine packs every other
// unpacks; mixed_bits.h turns the bits into bytes.
namespace ech0 {

/// The probability of a 1 in one context: 22 bits of it and 10 of how often it was seen, so that it moves fast at first
/// and slowly later.
class AdaptiveBit {
public:
    uint32_t p12() const { return state_ >> 20; }
    void update(int bit, uint32_t limit) {
        const uint32_t n = state_ & 1023;
        const int32_t p = static_cast<int32_t>(state_ >> 10), target = bit != 0 ? (1 << 22) - 1 : 0;
        const int32_t moved = p + (((target - p) >> 3) * reciprocals[n] >> 9);
        state_ = static_cast<uint32_t>(moved) << 10 | (n < limit ? n + 1 : n);
    }

private:
    // 4096 / (n + 1.6): the estimate of Krichevsky and Trofimov, a little bolder.
    static constexpr std::array<int32_t, 1024> reciprocals = [] {
        std::array<int32_t, 1024> table{};
        for (int i = 0; i < 1024; i++) table[static_cast<size_t>(i)] = 40960 / (10 * i + 16);
        return table;
    }();

    uint32_t state_ = (uint32_t{1} << 21) << 10;
};

/// ln(p / (1 - p)) in units of 1/256, of a probability in 4096ths, and its inverse.
struct LogOdds {
    std::array<int16_t, 4096> of{};    ///< p12 -> log odds, -2047 … 2047
    std::array<uint16_t, 4096> p16{};  ///< log odds + 2048 -> probability of 65536

    static const LogOdds& table();
};

/// Weighs up to four opinions about a bit, by how well they did in this place before.
class Mixer {
public:
    static constexpr size_t n_inputs = 4;
    static constexpr int32_t mixing_rate = 6;
    using Inputs = std::array<int32_t, n_inputs>;

    explicit Mixer(const Inputs& weights) : weights_(weights) {}  // of 65536

    /// @return probability of a 1, of 65536
    uint32_t mix(const Inputs& inputs, const LogOdds& odds) {
        int64_t sum = 0;
        for (size_t i = 0; i < n_inputs; i++) sum += int64_t{inputs[i]} * weights_[i];
        const int64_t value = std::min<int64_t>(2047, std::max<int64_t>(-2047, sum >> 16));
        p_ = odds.p16[static_cast<size_t>(value + 2048)];
        return p_;
    }
    void update(const Inputs& inputs, int bit) {
        const int32_t error = ((bit << 16) - static_cast<int32_t>(p_)) >> 4;
        for (size_t i = 0; i < n_inputs; i++) weights_[i] += (inputs[i] * error * mixing_rate + (1 << 15)) >> 16;
    }

private:
    Inputs weights_;
    uint32_t p_ = 0;
};

}  // namespace ech0
