#pragma once

// Arithmetic coding of bits whose probabilities are learnt while coding: several counters, each of its own context,
// are mixed in the logistic domain, with weights that follow what they got wrong (Mahoney 2005, PAQ; the mixing in
// integers as in lpaq1, so that reader and writer agree on every machine).

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ech0 {

/// Probability that the next bit of a context is 1, and how often that was asked.
struct BitCounter {
    uint16_t p = 32768;  ///< of 65536
    uint16_t n = 0;
};

constexpr int64_t n_mixed = 4;  ///< counters that predict each bit

/// Weights of the counters, one set per kind of bit.
using MixerWeights = std::array<int32_t, n_mixed>;

/// Predicts a bit and learns from it; the same for reader and writer.
class BitPredictor {
public:
    /// @return probability of a 1, of 65536, never 0 or 65536
    uint32_t predict(std::array<BitCounter*, n_mixed> counters, MixerWeights& weights);
    void learn(bool bit);

private:
    std::array<BitCounter*, n_mixed> counters_ = {};
    std::array<int32_t, n_mixed> stretched_ = {};
    MixerWeights* weights_ = nullptr;
    int32_t mixed_ = 0;  ///< probability of 4096
};

class MixedBitWriter {
public:
    void put(bool bit, uint32_t p1_of_65536);
    std::string finish();  ///< the bytes; the writer is empty then

private:
    uint32_t low_ = 0, high_ = 0xffffffff;
    std::string out_;
};

/// Reads zeros beyond the end; what is damaged gives other bits, never more of them.
class MixedBitReader {
public:
    explicit MixedBitReader(std::span<const uint8_t> bytes);
    bool get(uint32_t p1_of_65536);
    /// More bytes were asked for than a whole stream can have needed: it is damaged.
    bool overrun() const { return beyond_ > 8; }

private:
    uint8_t next();

    std::span<const uint8_t> bytes_;
    size_t at_ = 0;
    int64_t beyond_ = 0;
    uint32_t low_ = 0, high_ = 0xffffffff, value_ = 0;
};

}  // namespace ech0
