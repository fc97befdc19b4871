#pragma once

// Signed integers as bits, for what a profile keeps: Golomb-Rice codes (Rice 1979) whose parameter follows from how
// large the caller expects the number to be, as in JPEG-LS. Ten million weights are read in a fraction of a second;
// mixed contexts (mixed_bits.h) took 4 s for the same bytes to 2 %.

#include <cstdint>
#include <span>
#include <string>

namespace ech0 {

class NumberWriter {
public:
    /// @param near  four times how large |value| probably is
    void put(int32_t value, int64_t near);
    void toss(uint32_t value, int n_bits);  ///< bits that nothing is known of, at most 32
    std::string finish();

private:
    std::string out_;
    uint64_t held_ = 0;
    int n_held_ = 0;
};

/// Reads zeros beyond the end.
class NumberReader {
public:
    explicit NumberReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
    int32_t get(int64_t near);
    uint32_t toss(int n_bits);
    /// More was read than there is: the bytes are damaged.
    bool overrun() const { return n_beyond_ * 8 > n_held_; }

private:
    void fill();

    std::span<const uint8_t> bytes_;
    size_t at_ = 0;
    int64_t n_beyond_ = 0;
    uint64_t held_ = 0;
    int n_held_ = 0;
};

/// How large numbers were of late: a mean over about sixteen.
class RecentMagnitude {
public:
    /// @return four times the mean
    int64_t times_four() const { return sixteenfold_ / 4; }
    void add(int32_t value) { sixteenfold_ += (value < 0 ? -int64_t{value} : int64_t{value}) - sixteenfold_ / 16; }

private:
    int64_t sixteenfold_ = 128;
};

}  // namespace ech0
