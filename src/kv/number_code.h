#pragma once

// Signed integers as bits, for what a profile keeps: the length of each number in binary is learnt in four contexts
// that the caller names, mixed (mixed_bits.h), and so is the bit below the leading one; sign and the rest are tossed.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kv/mixed_bits.h"

namespace ech0 {

/// How many contexts of each of the four kinds there are.
using NumberContexts = std::array<int64_t, n_mixed>;

/// Counters and their mixing, the same for writer and reader.
class NumberModel {
public:
    explicit NumberModel(const NumberContexts& n);

    template <class Coded>
    int32_t number(int32_t value, const NumberContexts& at, const Coded& coded);

private:
    template <class Coded>
    bool bit(bool value, int64_t slot, const NumberContexts& at, const Coded& coded);

    std::array<std::vector<BitCounter>, n_mixed> counters_;
    std::vector<MixerWeights> mixers_;
    BitPredictor predictor_;
};

class NumberWriter {
public:
    explicit NumberWriter(const NumberContexts& n) : model_(n) {}
    void put(int32_t value, const NumberContexts& at);
    void toss(uint32_t value, int n_bits);  ///< bits that nothing is known of
    std::string finish() { return io_.finish(); }

private:
    NumberModel model_;
    MixedBitWriter io_;
};

class NumberReader {
public:
    NumberReader(std::span<const uint8_t> bytes, const NumberContexts& n) : model_(n), io_(bytes) {}
    int32_t get(const NumberContexts& at);
    uint32_t toss(int n_bits);
    bool overrun() const { return io_.overrun(); }

private:
    NumberModel model_;
    MixedBitReader io_;
};

/// 0, 1, 2-3, 4-7, …: a context from how large neighbours are. @return at most 15
int64_t length_of(int64_t magnitude);

}  // namespace ech0
