#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace ech0 {

/// Bits as they are, up to 32 at a time, the first in the lowest places.
class StoredBits {
public:
    void put(uint32_t bits, int n) {
        bits_ |= uint64_t{bits} << n_;
        for (n_ += n; n_ >= 8; n_ -= 8, bits_ >>= 8) out_.push_back(static_cast<char>(bits_ & 255));
    }
    std::string finish() {
        if (n_ > 0) out_.push_back(static_cast<char>(bits_ & 255));
        return std::move(out_);
    }

private:
    std::string out_;
    uint64_t bits_ = 0;
    int n_ = 0;
};

/// Reads them; zeros past the end.
class StoredBitsReader {
public:
    explicit StoredBitsReader(std::string_view in) : in_(in) {}

    uint32_t get(int n) {
        for (; n_ < n; n_ += 8, at_++)
            bits_ |= uint64_t{at_ < in_.size() ? static_cast<uint8_t>(in_[at_]) : uint8_t{0}} << n_;
        const uint32_t bits = static_cast<uint32_t>(bits_ & ((uint64_t{1} << n) - 1));
        bits_ >>= n;
        n_ -= n;
        return bits;
    }

private:
    std::string_view in_;
    size_t at_ = 0;
    uint64_t bits_ = 0;
    int n_ = 0;
};

}  // namespace ech0
