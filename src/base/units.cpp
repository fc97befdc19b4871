#include "ech0/units.h"

#include <array>
#include <cctype>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

struct Unit {
    std::string_view name;  // lower case
    int64_t bytes;
};

constexpr int64_t kib = 1024, mib = kib * 1024, gib = mib * 1024, tib = gib * 1024;
constexpr int64_t kb = 1000, mb = kb * 1000, gb = mb * 1000, tb = gb * 1000;

constexpr std::array<Unit, 14> units = {{
    {"", 1},
    {"b", 1},
    {"k", kib},
    {"m", mib},
    {"g", gib},
    {"t", tib},
    {"kib", kib},
    {"mib", mib},
    {"gib", gib},
    {"tib", tib},
    {"kb", kb},
    {"mb", mb},
    {"gb", gb},
    {"tb", tb},
}};

// A decimal number read without floating point, so that 2.3kB is 2300 bytes and not 2299.
struct Decimal {
    std::string_view whole, fraction, rest;
};

Decimal split_decimal(std::string_view text) {
    const auto digits = [&](size_t from) {
        size_t end = from;
        while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) end++;
        return end;
    };
    const size_t whole_end = digits(0);
    size_t fraction_end = whole_end;
    Decimal number{text.substr(0, whole_end), {}, {}};
    if (whole_end < text.size() && text[whole_end] == '.') {
        fraction_end = digits(whole_end + 1);
        number.fraction = text.substr(whole_end + 1, fraction_end - whole_end - 1);
    }
    number.rest = text.substr(fraction_end);
    return number;
}

std::string lower_trimmed(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c != ' ') out.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
    return out;
}

UsageError bad_size(std::string_view text, std::string_view why) {
    return UsageError(fmt::format("'{}' {}: write 60MB, 17.8GiB, 16g or a number of bytes", printable(text), why));
}

}  // namespace

int64_t parse_size(std::string_view text) {
    constexpr int64_t most = std::numeric_limits<int64_t>::max();
    const std::string lower = lower_trimmed(text);
    const Decimal number = split_decimal(lower);
    if (number.whole.empty()) throw bad_size(text, "is no size");

    const Unit* unit = nullptr;
    for (const Unit& candidate : units) {
        if (candidate.name == number.rest) unit = &candidate;
    }
    if (unit == nullptr) throw bad_size(text, "is no size");

    int64_t count = 0;
    for (const char digit : number.whole) {
        if (count > (most - (digit - '0')) / 10) throw bad_size(text, "is too large");
        count = count * 10 + (digit - '0');
    }
    // unit * 0.d1d2d3… by Horner's rule from the last digit; each step floors, and nested floors are the floor of all.
    int64_t part = 0;
    for (size_t i = number.fraction.size(); i-- > 0;) part = (part + (number.fraction[i] - '0') * unit->bytes) / 10;
    if (count > (most - part) / unit->bytes) throw bad_size(text, "is too large");
    return count * unit->bytes + part;
}

namespace {

double value_of(const Decimal& number) {
    double value = 0, place = 0.1;
    for (const char digit : number.whole) value = value * 10 + (digit - '0');
    for (const char digit : number.fraction) {
        value += place * (digit - '0');
        place /= 10;
    }
    return value;
}

}  // namespace

double parse_share(std::string_view text) {
    const std::string lower = lower_trimmed(text);
    const Decimal number = split_decimal(lower);
    const bool is_number = !number.whole.empty() && (number.rest.empty() || number.rest == "%");
    const double share = number.rest == "%" ? value_of(number) / 100 : value_of(number);
    if (!is_number || share <= 0 || share >= 1)
        throw UsageError(fmt::format("'{}' is no share between 0 and 1: write 0.6 or 60%", printable(text)));
    return share;
}

Amount parse_amount(std::string_view text) {
    const std::string lower = lower_trimmed(text);
    const Decimal number = split_decimal(lower);
    const double value = value_of(number);
    const std::string_view rest = number.rest;
    Amount amount{Amount::Of::units, value};
    if (rest == "k" || rest == "m" || rest == "b")
        amount = {Amount::Of::weights, value * (rest == "k" ? 1e3 : rest == "m" ? 1e6 : 1e9)};
    else if (rest == "%" || !number.fraction.empty())
        amount = {Amount::Of::share, rest == "%" ? value / 100 : value};
    const bool known = rest.empty() || rest == "%" || amount.of == Amount::Of::weights;
    if (number.whole.empty() || !known || value <= 0 || (amount.of == Amount::Of::share && amount.value >= 1))
        throw UsageError(fmt::format("'{}' is no amount to remove: write 3 (so many), 300M or 2B (weights), or 20%",
                                     printable(text)));
    return amount;
}

double parse_bits_per_weight(std::string_view text) {
    const std::string lower = lower_trimmed(text);
    const Decimal number = split_decimal(lower);
    const bool is_number = !number.whole.empty() && (number.rest.empty() || number.rest == "bpw");
    const double bits = value_of(number);
    if (!is_number || bits <= 0 || bits > 32) {
        throw UsageError(
            fmt::format("'{}' is no number of bits per weight in (0, 32]: write 3.5bpw or 3.5", printable(text)));
    }
    return bits;
}

std::string format_memory(int64_t bytes) {
    const double value = static_cast<double>(bytes);
    const int64_t size = bytes < 0 ? -bytes : bytes;
    if (size >= gib) return fmt::format("{:.2f} GiB", value / gib);
    if (size >= mib) return fmt::format("{:.1f} MiB", value / mib);
    if (size >= kib) return fmt::format("{:.1f} KiB", value / kib);
    return fmt::format("{} B", bytes);
}

std::string format_disk(int64_t bytes) {
    const double value = static_cast<double>(bytes);
    const int64_t size = bytes < 0 ? -bytes : bytes;
    if (size >= gb) return fmt::format("{:.2f} GB", value / gb);
    if (size >= mb) return fmt::format("{:.1f} MB", value / mb);
    if (size >= kb) return fmt::format("{:.1f} kB", value / kb);
    return fmt::format("{} B", bytes);
}

std::string format_duration(double seconds) {
    if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
    const int64_t whole = std::llround(seconds);
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    const int64_t minutes = std::llround(seconds / 60);
    return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

}  // namespace ech0
