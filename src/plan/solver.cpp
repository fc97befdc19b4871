#include "plan/solver.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "ech0/error.h"
#include "ech0/units.h"

namespace ech0 {
namespace {

using Options = std::span<const std::vector<Option>>;
using Choice = std::vector<int32_t>;

int64_t bytes_of(Options options, const Choice& choice) {
    int64_t bytes = 0;
    for (size_t i = 0; i < options.size(); i++) bytes += options[i][static_cast<size_t>(choice[i])].bytes;
    return bytes;
}

/// Each tensor's best option when a byte costs `price`; of equals the smaller.
Choice choose_at(Options options, double price) {
    Choice choice(options.size());
    for (size_t i = 0; i < options.size(); i++) {
        double best = std::numeric_limits<double>::infinity();
        int64_t best_bytes = 0;
        for (size_t k = 0; k < options[i].size(); k++) {
            const Option& o = options[i][k];
            const double cost = o.loss + price * static_cast<double>(o.bytes);
            if (cost < best || (cost == best && o.bytes < best_bytes)) {
                best = cost;
                best_bytes = o.bytes;
                choice[i] = static_cast<int32_t>(k);
            }
        }
    }
    return choice;
}

Choice smallest(Options options) {
    Choice choice(options.size());
    for (size_t i = 0; i < options.size(); i++)
        for (size_t k = 1; k < options[i].size(); k++)
            if (options[i][k].bytes < options[i][static_cast<size_t>(choice[i])].bytes)
                choice[i] = static_cast<int32_t>(k);
    return choice;
}

/// The cheapest price at which everything fits.
Choice by_price(Options options, int64_t budget) {
    Choice fits = smallest(options);
    double low = 0, high = 1e-30;
    while (high < 1e30 && bytes_of(options, choose_at(options, high)) > budget) high *= 16;
    for (int step = 0; step < 200; step++) {
        const double price = low == 0 ? high / 1e6 : std::sqrt(low * high);
        Choice choice = choose_at(options, price);
        if (bytes_of(options, choice) <= budget) {
            high = price;
            fits = std::move(choice);
        } else {
            low = price;
        }
        if (low > 0 && high / low < 1 + 1e-12) break;
    }
    if (Choice free = choose_at(options, 0); bytes_of(options, free) <= budget) return free;
    return bytes_of(options, choose_at(options, high)) <= budget ? choose_at(options, high) : fits;
}

struct Move {
    size_t tensor = 0;
    int32_t to = 0;
    int64_t bytes = 0;
    double gain = 0;  // loss saved
};

std::vector<Move> moves_from(Options options, const Choice& choice, int64_t room) {
    std::vector<Move> moves;
    for (size_t i = 0; i < options.size(); i++) {
        const Option& now = options[i][static_cast<size_t>(choice[i])];
        for (size_t k = 0; k < options[i].size(); k++) {
            const Option& o = options[i][k];
            if (static_cast<int32_t>(k) != choice[i] && o.bytes - now.bytes <= room)
                moves.push_back({i, static_cast<int32_t>(k), o.bytes - now.bytes, now.loss - o.loss});
        }
    }
    return moves;
}

/// Spend the room on the single change, or the pair of changes in two tensors, that saves most; until none does.
void exchange(Options options, int64_t budget, Choice& choice) {
    for (int round = 0; round < 1000; round++) {
        const int64_t room = budget - bytes_of(options, choice);
        const std::vector<Move> moves = moves_from(options, choice, std::numeric_limits<int64_t>::max() / 4);
        double best = 1e-15;
        const Move *first = nullptr, *second = nullptr;
        for (const Move& a : moves) {
            if (a.bytes <= room && a.gain > best) best = a.gain, first = &a, second = nullptr;
            if (a.gain <= 0) continue;  // of a pair, one must gain
            for (const Move& b : moves)
                if (b.tensor != a.tensor && a.bytes + b.bytes <= room && a.gain + b.gain > best)
                    best = a.gain + b.gain, first = &a, second = &b;
        }
        if (first == nullptr) return;
        choice[first->tensor] = first->to;
        if (second != nullptr) choice[second->tensor] = second->to;
    }
}

}  // namespace

std::vector<int32_t> solve(Options options, int64_t budget_bytes) {
    const int64_t least = bytes_of(options, smallest(options));
    if (least > budget_bytes)
        throw UsageError(
            fmt::format("the smallest file these types allow needs {} for its tensors, the budget leaves {}",
                        format_disk(least), format_disk(budget_bytes)));
    Choice choice = by_price(options, budget_bytes);
    exchange(options, budget_bytes, choice);
    return choice;
}

}  // namespace ech0
