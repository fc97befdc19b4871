#include "kv/half_codec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "ech0/error.h"
#include "kv/bit_model.h"
#include "kv/channel_predictor.h"
#include "kv/constant_columns.h"
#include "kv/mixed_bits.h"
#include "kv/stored_bits.h"

// Packed: a mask of the columns that never change and their values (u16); n_coded_bytes u32; the coded bits; the stored
// bits to the end.

namespace ech0 {
namespace {

constexpr int n_coded = 10, n_stored = 16 - n_coded;
constexpr int64_t group_width = 256;  // columns that are predicted from each other
// An interval so narrow, in deviations, has all its numbers equally often; measured: 0.3 and 0.6 give the same size.
constexpr float flat_below = 0.6F;

// Half-precision numbers in their order: 0x0000 the most negative, 0x8000 zero. Then a prefix of bits is an interval.
uint16_t ordered(uint16_t half) { return static_cast<uint16_t>((half & 0x8000) != 0 ? ~half : half | 0x8000); }
uint16_t unordered(uint16_t place) { return static_cast<uint16_t>((place & 0x8000) != 0 ? place & 0x7fff : ~place); }

// 0x7c00 and up, which are no numbers, go on as if the exponents did not end.
float value_of(uint32_t half) {
    const uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
    const float scale = exponent == 0 ? 1.0F / 16777216 : static_cast<float>(1U << (exponent - 1)) / 16777216;
    return static_cast<float>(exponent == 0 ? fraction : fraction | 1024) * scale;
}

// Where intervals of ordered numbers meet, and values for the predictor.
struct Numbers {
    std::vector<float> edge = std::vector<float>((1U << n_coded) + 1);  // of place << n_stored
    std::vector<float> value = std::vector<float>(65536);               // of a half; 0 for what is no number

    Numbers() {
        for (uint32_t i = 0; i < 65536; i++) {
            const float v = (i & 0x7c00) == 0x7c00 ? 0.0F : value_of(i & 0x7fff);
            value[i] = (i & 0x8000) != 0 ? -v : v;
        }
        for (uint32_t i = 0; i <= 1U << n_coded; i++) {
            const int32_t place = static_cast<int32_t>(i << n_stored) - 0x8000;
            edge[i] = place >= 0 ? value_of(static_cast<uint32_t>(std::min(place, 0x7fff)))
                                 : -value_of(static_cast<uint32_t>(std::min(-place, 0x7fff)));
        }
    }
};

// The share of a bell curve below z standard deviations: of a logistic one, whose tails are closer to what keys and
// values do than a Gaussian's. 1 / (1 + e^(-1.7 z)); products only, see LogOdds.
struct Bell {
    static constexpr int steps = 64, reach = 8;  // per deviation; deviations
    std::array<float, 2 * steps * reach + 2> below{};

    Bell() {
        constexpr double step = 1.0269184276577525;  // e^(1.7 / 64)
        double power = 1;
        for (int i = 0; i <= steps * reach; i++) {
            below[static_cast<size_t>(steps * reach - i)] = static_cast<float>(1 / (1 + power));
            below[static_cast<size_t>(steps * reach + i)] = static_cast<float>(power / (1 + power));
            power *= step;
        }
        below.back() = below[below.size() - 2];
    }
    float at(float z) const {
        const float place = std::clamp((z + reach) * steps, 0.0F, static_cast<float>(2 * steps * reach));
        const int i = static_cast<int>(place);
        const float left = below[static_cast<size_t>(i)];
        return left + (below[static_cast<size_t>(i) + 1] - left) * (place - static_cast<float>(i));
    }
};

// The model of the numbers, the same for packing and unpacking; `Coder` puts a bit or gets it.
class HalfModel {
public:
    explicit HalfModel(int64_t n_columns)
        : n_columns_(n_columns),
          own_(static_cast<size_t>(n_columns) << n_coded),
          after_(static_cast<size_t>(n_columns) << (6 + n_after)),
          last_(static_cast<size_t>(n_columns)),
          mixers_(static_cast<size_t>(n_coded * 16), Mixer({22000, 30000, 14000, 0})) {
        for (int64_t at = 0; at < n_columns; at += group_width)
            groups_.emplace_back(std::min(group_width, n_columns - at));
    }

    // @param code  (bit, probability of 1) -> the bit that was written or read
    template <typename Code, typename Rest>
    void row(uint16_t* row, const std::vector<int64_t>& columns, Code&& code, Rest&& rest) {
        for (size_t g = 0; g < groups_.size(); g++) {
            ChannelPredictor& group = groups_[g];
            group.begin_token();
            const int64_t begin = static_cast<int64_t>(g) * group_width;
            const int64_t end = std::min(begin + group_width, n_columns_);
            for (int64_t c = begin; c < end; c++) {
                uint16_t& half = row[columns[static_cast<size_t>(c)]];
                const uint32_t place = number(c, ordered(half), group.guess(), group.spread(c - begin), code, rest);
                half = unordered(static_cast<uint16_t>(place));
                last_[static_cast<size_t>(c)] = static_cast<uint16_t>(place);
                group.tell(numbers_.value[half]);
            }
        }
    }

private:
    static constexpr int n_after = 6;  // sign and exponent: what the number before says about the rest is little

    // Next to zero there are dead heads, +0 and -0 in turn; elsewhere the last bits are noise.
    template <typename Code, typename Rest>
    uint32_t low_bits(uint32_t prefix, uint32_t place, Code&& code, Rest&& rest) {
        if (prefix != 0x8000 && prefix != 0x8000 - (1U << n_stored))
            return rest(place & ((1U << n_stored) - 1), n_stored);
        uint32_t node = prefix == 0x8000 ? 1 : 1 | 1U << n_stored;
        const uint32_t top = 1U << n_stored;
        uint32_t low = 0;
        for (int k = n_stored - 1; k >= 0; k--) {
            AdaptiveBit& bit_here = zero_[node];
            const int bit = code(static_cast<int>(place >> k & 1), std::clamp(bit_here.p12() * 16, 16U, 65520U));
            bit_here.update(bit, 1000);
            node = (node & top) | ((node & (top - 1)) << 1 | static_cast<uint32_t>(bit));
            low = low << 1 | static_cast<uint32_t>(bit);
        }
        return low;
    }

    template <typename Code, typename Rest>
    uint32_t number(int64_t column, uint32_t place, float guess, float spread, Code&& code, Rest&& rest) {
        const float inverse = spread > 0 ? 1.0F / spread : 0.0F;
        AdaptiveBit* const own = own_.data() + (static_cast<size_t>(column) << n_coded);
        AdaptiveBit* const after =
            after_.data() + ((static_cast<size_t>(column) << 6 | last_[static_cast<size_t>(column)] >> 10) << n_after);
        uint32_t low = 0, node = 1;
        float below_low = 0, below_high = 1;
        for (int k = 0; k < n_coded; k++) {
            const uint32_t half = 1U << (15 - k);
            if (k >= n_after && (edge(low + 2 * half) - edge(low)) * inverse < flat_below && inverse > 0) {
                return low | rest(place & (2 * half - 1), 16 - k);
            }
            const float below = bell_.at((edge(low + half) - guess) * inverse);
            const float width = below_high - below_low;
            const float upper = width > 1e-6F ? (below_high - below) / width : 0.5F;
            const int32_t p12 = std::clamp(static_cast<int32_t>(upper * 4096), 1, 4095);
            Mixer::Inputs inputs = {odds_.of[own[node].p12()], odds_.of[static_cast<size_t>(p12)], 0, 0};
            if (k < n_after) inputs[2] = odds_.of[after[node].p12()];
            const size_t sure = static_cast<size_t>(std::min(width, 0.99F) * 16);
            Mixer& mixer = mixers_[static_cast<size_t>(k * 16) + sure];
            const int bit = code(static_cast<int>(place >> (15 - k) & 1), mixer.mix(inputs, odds_));
            mixer.update(inputs, bit);
            own[node].update(bit, 1000);
            if (k < n_after) after[node].update(bit, 200);
            node = node << 1 | static_cast<uint32_t>(bit);
            if (bit != 0)
                low += half, below_low = below;
            else
                below_high = below;
        }
        return low | low_bits(low, place, code, rest);
    }

    static float edge(uint32_t place) { return numbers_.edge[place >> n_stored]; }

    int64_t n_columns_;
    std::vector<ChannelPredictor> groups_;
    std::vector<AdaptiveBit> own_, after_;
    std::array<AdaptiveBit, 4U << n_stored> zero_;
    std::vector<uint16_t> last_;
    std::vector<Mixer> mixers_;
    Bell bell_;
    const LogOdds& odds_ = LogOdds::table();
    static const Numbers numbers_;
};

const Numbers HalfModel::numbers_;

constexpr std::string_view what = "packed rows of half precision";

FormatError wrong(std::string_view why) { return FormatError(fmt::format("{}: {}", what, why)); }

void check_shape(size_t n_numbers, int64_t n_columns) {
    if (n_columns < 1 || n_numbers % static_cast<size_t>(n_columns) != 0)
        throw wrong(fmt::format("{} numbers in rows of {}", n_numbers, n_columns));
}

}  // namespace

std::string encode_halves(std::span<const uint16_t> rows, int64_t n_columns) {
    check_shape(rows.size(), n_columns);
    if (rows.empty()) return "";
    Columns columns = find_columns(rows, static_cast<size_t>(n_columns));
    std::string out = std::move(columns.head);
    if (columns.varying.empty()) return out;
    HalfModel model(static_cast<int64_t>(columns.varying.size()));
    MixedBitWriter writer;
    StoredBits stored;
    std::vector<uint16_t> row(static_cast<size_t>(n_columns));
    for (size_t at = 0; at < rows.size(); at += row.size()) {
        std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(at), row.size(), row.begin());
        model.row(
            row.data(), columns.varying, [&](int bit, uint32_t p) { return writer.put(bit != 0, p), bit; },
            [&](uint32_t bits, int n) { return stored.put(bits, n), bits; });
    }
    const std::string bits = writer.finish();
    const uint32_t n_bits = static_cast<uint32_t>(bits.size());
    out.append(reinterpret_cast<const char*>(&n_bits), 4);
    return out + bits + stored.finish();
}

void decode_halves(std::string_view packed, std::span<uint16_t> rows, int64_t n_columns) {
    check_shape(rows.size(), n_columns);
    if (rows.empty()) {
        if (!packed.empty()) throw wrong("there are none, and something follows");
        return;
    }
    const std::vector<int64_t> varying = read_columns(packed, rows, static_cast<size_t>(n_columns), what);
    if (varying.empty()) {
        if (!packed.empty()) throw wrong("something follows the constants");
        return;
    }
    uint32_t n_bits = 0;
    if (packed.size() < 4) throw wrong("their length is cut off");
    std::memcpy(&n_bits, packed.data(), 4);
    packed.remove_prefix(4);
    if (packed.size() < n_bits) throw wrong(fmt::format("{} coded bytes claimed, {} there", n_bits, packed.size()));
    HalfModel model(static_cast<int64_t>(varying.size()));
    MixedBitReader reader(bytes_of(packed.substr(0, n_bits)));
    StoredBitsReader stored(packed.substr(n_bits));
    for (size_t at = 0; at < rows.size(); at += static_cast<size_t>(n_columns)) {
        model.row(
            rows.data() + at, varying, [&](int, uint32_t p) { return reader.get(p) ? 1 : 0; },
            [&](uint32_t, int n) { return stored.get(n); });
    }
}

}  // namespace ech0
