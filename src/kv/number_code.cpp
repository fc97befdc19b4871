#include "kv/number_code.h"

#include <algorithm>
#include <cstdlib>

namespace ech0 {
namespace {

constexpr int64_t longest = 31;                         // bits of a magnitude
constexpr int64_t n_slots = longest + 1 + longest + 1;  // lengths, then the bit below the leading one by length
constexpr uint32_t toss_probability = 32768;

}  // namespace

NumberModel::NumberModel(const NumberContexts& n)
    : mixers_(static_cast<size_t>(n_slots), MixerWeights{20000, 20000, 16000, 16000}) {
    for (size_t i = 0; i < n.size(); i++) counters_[i].resize(static_cast<size_t>(n[i] * n_slots));
}

template <class Coded>
bool NumberModel::bit(bool value, int64_t slot, const NumberContexts& at, const Coded& coded) {
    std::array<BitCounter*, n_mixed> counters{};
    for (size_t i = 0; i < counters.size(); i++)
        counters[i] = &counters_[i][static_cast<size_t>(at[i] * n_slots + slot)];
    value = coded(value, predictor_.predict(counters, mixers_[static_cast<size_t>(slot)]));
    predictor_.learn(value);
    return value;
}

template <class Coded>
int32_t NumberModel::number(int32_t value, const NumberContexts& at, const Coded& coded) {
    const int64_t magnitude = std::abs(int64_t{value});
    int64_t length = 0;
    while ((magnitude >> length) != 0) length++;
    int64_t n = 0;
    while (n < longest && bit(length > n, n, at, coded)) n++;
    if (n == 0) return 0;
    int64_t found = 1;
    for (int64_t s = n - 2; s >= 0; s--) {
        const bool wanted = ((magnitude >> s) & 1) != 0;
        found = found * 2 +
                ((s == n - 2 ? bit(wanted, longest + 1 + n, at, coded) : coded(wanted, toss_probability)) ? 1 : 0);
    }
    return static_cast<int32_t>(coded(value < 0, toss_probability) ? -found : found);
}

void NumberWriter::put(int32_t value, const NumberContexts& at) {
    model_.number(value, at, [&](bool b, uint32_t p) {
        io_.put(b, p);
        return b;
    });
}

void NumberWriter::toss(uint32_t value, int n_bits) {
    for (int s = n_bits - 1; s >= 0; s--) io_.put(((value >> s) & 1) != 0, toss_probability);
}

int32_t NumberReader::get(const NumberContexts& at) {
    return model_.number(0, at, [&](bool, uint32_t p) { return io_.get(p); });
}

uint32_t NumberReader::toss(int n_bits) {
    uint32_t value = 0;
    for (int s = 0; s < n_bits; s++) value = value * 2 + (io_.get(toss_probability) ? 1 : 0);
    return value;
}

int64_t length_of(int64_t magnitude) {
    int64_t n = 0;
    while (n < 15 && (magnitude >> n) != 0) n++;
    return n;
}

}  // namespace ech0
