#include "prune/forecast.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ech0 {
namespace {

// Two checks are few: an exponent beyond these is their noise.
constexpr double least_power = 0.5, most_power = 2;

}  // namespace

double forecast_kl(std::span<const CutCheck> checks, double added_up) {
    std::vector<CutCheck> felt;
    for (const CutCheck& check : checks)
        if (check.added_up > 0 && check.kl > 0) felt.push_back(check);
    if (felt.empty() || added_up <= 0) return added_up;
    const CutCheck last = felt.back();
    double power = 1;
    if (felt.size() > 1 && felt[felt.size() - 2].added_up < last.added_up) {
        const CutCheck& before = felt[felt.size() - 2];
        power = std::clamp(std::log(last.kl / before.kl) / std::log(last.added_up / before.added_up), least_power,
                           most_power);
    }
    return last.kl * std::pow(added_up / last.added_up, power);
}

}  // namespace ech0
