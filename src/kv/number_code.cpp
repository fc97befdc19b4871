#include "kv/number_code.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ech0 {
namespace {

constexpr int longest_run = 24;  // of ones; then the number follows as it is

/// Bits of a number that are stored as they are; what is above them is counted out.
int low_bits(int64_t near) {
    return std::clamp(static_cast<int>(std::bit_width(static_cast<uint64_t>(std::max<int64_t>(near, 0)) >> 1)) - 1, 0,
                      30);
}

}  // namespace

void NumberWriter::toss(uint32_t value, int n_bits) {
    held_ |= static_cast<uint64_t>(value) << n_held_;
    for (n_held_ += n_bits; n_held_ >= 8; n_held_ -= 8, held_ >>= 8) out_.push_back(static_cast<char>(held_ & 255));
}

void NumberWriter::put(int32_t value, int64_t near) {
    const auto folded = static_cast<uint32_t>(value < 0 ? -2 * int64_t{value} - 1 : 2 * int64_t{value});
    const int low = low_bits(near);
    const uint32_t run = folded >> low;
    if (run >= longest_run) {
        toss((1U << longest_run) - 1, longest_run);
        toss(folded, 32);
        return;
    }
    toss((1U << run) - 1, static_cast<int>(run) + 1);
    toss(folded & ((1U << low) - 1), low);
}

std::string NumberWriter::finish() {
    if (n_held_ > 0) out_.push_back(static_cast<char>(held_ & 255));
    held_ = 0;
    n_held_ = 0;
    return std::exchange(out_, {});
}

void NumberReader::fill() {
    for (; n_held_ <= 56; n_held_ += 8) {
        if (at_ < bytes_.size())
            held_ |= static_cast<uint64_t>(bytes_[at_++]) << n_held_;
        else
            n_beyond_++;
    }
}

uint32_t NumberReader::toss(int n_bits) {
    fill();
    const auto value = static_cast<uint32_t>(held_ & ((uint64_t{1} << n_bits) - 1));
    held_ >>= n_bits;
    n_held_ -= n_bits;
    return value;
}

int32_t NumberReader::get(int64_t near) {
    fill();
    const int low = low_bits(near), run = std::countr_one(held_);
    uint32_t folded = 0;
    if (run >= longest_run) {
        toss(longest_run);
        folded = toss(32);
    } else {
        toss(run + 1);
        folded = (static_cast<uint32_t>(run) << low) | toss(low);
    }
    const auto half = static_cast<int64_t>(folded >> 1);
    return static_cast<int32_t>((folded & 1) != 0 ? -half - 1 : half);
}

}  // namespace ech0
