#include "kv/byte_codec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "ech0/error.h"
#include "kv/bit_model.h"
#include "kv/constant_columns.h"
#include "kv/mixed_bits.h"
#include "kv/stored_bits.h"

// Packed: a mask of the columns that never change and their values; for each place in the unit how many of a byte's
// highest bits are coded (a nibble); n_coded_bytes u32; the coded bits; the stored bits to the end.

namespace ech0 {
namespace {

constexpr int64_t most_places = 64;  // of a unit, that are told apart; the largest block of a cache type has 34 bytes
constexpr int64_t most_columns = 16384;  // likewise of a row

constexpr std::string_view what = "packed rows of bytes";

FormatError wrong(std::string_view why) { return FormatError(fmt::format("{}: {}", what, why)); }

void check_shape(size_t size, int64_t row_bytes, int64_t unit_bytes) {
    if (row_bytes < 1 || unit_bytes < 1 || size % static_cast<size_t>(row_bytes) != 0)
        throw wrong(fmt::format("{} bytes in rows of {}, units of {}", size, row_bytes, unit_bytes));
}

size_t n_places(int64_t unit_bytes) { return static_cast<size_t>(std::min(unit_bytes, most_places)); }

// How many high bits of these bytes are worth coding: those below the last whose value the higher ones foretell.
int worth_coding(const std::array<uint32_t, 256>& count) {
    int n = 0;
    for (int bit = 0; bit < 8; bit++) {
        double cost = 0, total = 0;
        for (int prefix = 0; prefix < 1 << bit; prefix++) {
            double zeros = 0, ones = 0;
            const int span = 128 >> bit;
            for (int i = 0; i < span; i++) {
                zeros += count[static_cast<size_t>(2 * prefix * span + i)];
                ones += count[static_cast<size_t>((2 * prefix + 1) * span + i)];
            }
            total += zeros + ones;
            if (zeros > 0) cost -= zeros * std::log2(zeros / (zeros + ones));
            if (ones > 0) cost -= ones * std::log2(ones / (zeros + ones));
        }
        const double learning = 16.0 * (1 << bit);  // bits that each context costs until it knows
        if (cost + learning < 0.995 * total) n = bit + 1;
    }
    return n;
}

std::vector<int> bits_worth_coding(std::span<const uint8_t> rows, size_t row_bytes, size_t places,
                                   const std::vector<int64_t>& varying) {
    std::vector<std::array<uint32_t, 256>> counts(places);
    for (size_t at = 0; at < rows.size(); at += row_bytes)
        for (const int64_t column : varying) {
            const auto c = static_cast<size_t>(column);
            counts[c % places][rows[at + c]]++;
        }
    std::vector<int> bits;
    for (const auto& count : counts) bits.push_back(worth_coding(count));
    return bits;
}

// The same for packing and unpacking; `Code` puts a bit or gets it, `Rest` several that are stored.
class ByteModel {
public:
    ByteModel(int64_t row_bytes, std::vector<int> n_coded)
        : row_bytes_(static_cast<size_t>(row_bytes)),
          n_coded_(std::move(n_coded)),
          own_(n_coded_.size() << 8),
          column_(std::min(row_bytes_, static_cast<size_t>(most_columns)) << 8),
          above_(n_coded_.size() << 13),
          left_(n_coded_.size() << 12),
          mixers_(n_coded_.size() * 8, Mixer({24000, 16000, 16000, 10000})),
          previous_(row_bytes_) {}

    template <typename Code, typename Rest>
    void row(uint8_t* row, const std::vector<int64_t>& columns, Code&& code, Rest&& rest) {
        uint8_t left = 0;
        for (const int64_t column : columns) {
            const auto i = static_cast<size_t>(column);
            const size_t place = i % n_coded_.size();
            row[i] = byte(row[i], place, i % static_cast<size_t>(most_columns), previous_[i], left, code, rest);
            left = row[i];
        }
        std::copy_n(row, row_bytes_, previous_.begin());
    }

private:
    template <typename Code, typename Rest>
    uint8_t byte(uint8_t value, size_t place, size_t column, uint8_t above, uint8_t left, Code&& code, Rest&& rest) {
        const int n = n_coded_[place];
        const std::array<AdaptiveBit*, 4> contexts = {&own_[place << 8], &column_[column << 8],
                                                      &above_[(place << 5 | static_cast<size_t>(above >> 3)) << 8],
                                                      &left_[(place << 4 | static_cast<size_t>(left >> 4)) << 8]};
        uint32_t node = 1;
        for (int k = 0; k < n; k++) {
            Mixer::Inputs inputs;
            for (size_t i = 0; i < 4; i++) inputs[i] = odds_.of[contexts[i][node].p12()];
            Mixer& mixer = mixers_[place * 8 + static_cast<size_t>(k)];
            const int bit = code(value >> (7 - k) & 1, mixer.mix(inputs, odds_));
            mixer.update(inputs, bit);
            for (AdaptiveBit* const context : contexts) context[node].update(bit, 1000);
            node = node << 1 | static_cast<uint32_t>(bit);
        }
        const uint32_t high = (node - (1U << n)) << (8 - n);
        return static_cast<uint8_t>(n == 8 ? high : high | rest(value & ((1U << (8 - n)) - 1), 8 - n));
    }

    size_t row_bytes_;
    std::vector<int> n_coded_;
    std::vector<AdaptiveBit> own_, column_, above_, left_;
    std::vector<Mixer> mixers_;
    std::vector<uint8_t> previous_;
    const LogOdds& odds_ = LogOdds::table();
};

}  // namespace

std::string encode_bytes(std::span<const uint8_t> rows, int64_t row_bytes, int64_t unit_bytes) {
    check_shape(rows.size(), row_bytes, unit_bytes);
    if (rows.empty()) return "";
    const size_t places = n_places(unit_bytes), n_row = static_cast<size_t>(row_bytes);
    const Columns columns = find_columns(rows, n_row);
    if (columns.varying.empty()) return columns.head;
    const std::vector<int> n_coded = bits_worth_coding(rows, n_row, places, columns.varying);
    std::string bits_of_places((places + 1) / 2, '\0');
    for (size_t i = 0; i < places; i++)
        bits_of_places[i / 2] = static_cast<char>(bits_of_places[i / 2] | n_coded[i] << (i % 2 * 4));
    std::string out = columns.head + bits_of_places;
    ByteModel model(row_bytes, n_coded);
    MixedBitWriter coder;
    StoredBits stored;
    std::vector<uint8_t> row(n_row);
    for (size_t at = 0; at < rows.size(); at += n_row) {
        std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(at), n_row, row.begin());
        model.row(
            row.data(), columns.varying, [&](int bit, uint32_t p) { return coder.put(bit != 0, p), bit; },
            [&](uint32_t bits, int n) { return stored.put(bits, n), bits; });
    }
    const std::string bits = coder.finish();
    const uint32_t n_bits = static_cast<uint32_t>(bits.size());
    out.append(reinterpret_cast<const char*>(&n_bits), 4);
    return out + bits + stored.finish();
}

void decode_bytes(std::string_view packed, std::span<uint8_t> rows, int64_t row_bytes, int64_t unit_bytes) {
    check_shape(rows.size(), row_bytes, unit_bytes);
    if (rows.empty()) {
        if (!packed.empty()) throw wrong("there are none, and something follows");
        return;
    }
    const std::vector<int64_t> varying = read_columns(packed, rows, static_cast<size_t>(row_bytes), what);
    if (varying.empty()) {
        if (!packed.empty()) throw wrong("something follows the constants");
        return;
    }
    const size_t places = n_places(unit_bytes), head_bytes = (places + 1) / 2;
    if (packed.size() < head_bytes + 4) throw wrong("their head is cut off");
    std::vector<int> n_coded;
    for (size_t i = 0; i < places; i++) {
        n_coded.push_back(static_cast<uint8_t>(packed[i / 2]) >> (i % 2 * 4) & 15);
        if (n_coded.back() > 8) throw wrong(fmt::format("{} bits of a byte", n_coded.back()));
    }
    uint32_t n_bits = 0;
    std::memcpy(&n_bits, packed.data() + head_bytes, 4);
    packed.remove_prefix(head_bytes + 4);
    if (packed.size() < n_bits) throw wrong(fmt::format("{} coded bytes claimed, {} there", n_bits, packed.size()));
    ByteModel model(row_bytes, n_coded);
    MixedBitReader coder(bytes_of(packed.substr(0, n_bits)));
    StoredBitsReader stored(packed.substr(n_bits));
    for (size_t at = 0; at < rows.size(); at += static_cast<size_t>(row_bytes)) {
        model.row(
            rows.data() + at, varying, [&](int, uint32_t p) { return coder.get(p) ? 1 : 0; },
            [&](uint32_t, int n) { return stored.get(n); });
    }
}

}  // namespace ech0
