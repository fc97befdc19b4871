#include "kv/bit_model.h"

#include <algorithm>

namespace ech0 {

// Integers only: 2^(x / 128 / ln 2)… by a library's exp would differ by a bit between systems, and then what one packs
// another could not unpack. So e^(1/256) is a constant, and its powers are products.
const LogOdds& LogOdds::table() {
    static const LogOdds made = [] {
        LogOdds odds;
        constexpr uint64_t one = uint64_t{1} << 24, step = 16842880;  // 2^24 e^(1/256)
        uint64_t power = one;                                         // e^(i/256)
        for (int i = 0; i <= 2047; i++) {
            const uint64_t p = 65536 * one / (one + power);  // of the rarer bit
            const uint64_t rare = std::clamp<uint64_t>(p, 16, 32768);
            odds.p16[static_cast<size_t>(2048 - i)] = static_cast<uint16_t>(rare);
            odds.p16[static_cast<size_t>(2048 + i)] = static_cast<uint16_t>(65536 - rare);
            power = power * step / one;
        }
        odds.p16[0] = odds.p16[1];
        int at = -2047;
        for (int p = 0; p < 4096; p++) {
            while (at < 2047 && odds.p16[static_cast<size_t>(at + 2048)] < p * 16) at++;
            odds.of[static_cast<size_t>(p)] = static_cast<int16_t>(at);
        }
        return odds;
    }();
    return made;
}

}  // namespace ech0
