#include "prune/choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ech0/error.h"

namespace ech0 {
namespace {

/// The cheapest run of steps that a curve offers next.
struct Offer {
    size_t until = 0;  // steps taken after it
    double kl = 0;     // that it adds
    int64_t params = 0;
    double slope() const {
        return params > 0 ? kl / static_cast<double>(params) : std::numeric_limits<double>::infinity();
    }
};

Offer next_offer(const CutCurve& curve, size_t taken) {
    Offer best;
    int64_t params = 0;
    const double before = taken > 0 ? curve.steps[taken - 1].error : 0;
    for (size_t i = taken; i < curve.steps.size() && static_cast<int64_t>(i) < curve.most_steps; i++) {
        params += curve.params_per_unit * static_cast<int64_t>(curve.steps[i].units.size());
        const Offer offer{i + 1, curve.gain * std::max(0.0, curve.steps[i].error - before), params};
        if (best.params == 0 || offer.slope() < best.slope()) best = offer;
    }
    return best;
}

void remove_units(std::vector<int32_t>& kept, const RemovalStep& step) {
    std::erase_if(kept, [&](int32_t u) { return std::binary_search(step.units.begin(), step.units.end(), u); });
}

}  // namespace

Choice choose_units(const Model& model, const std::vector<CutCurve>& curves, int64_t params_to_remove) {
    Choice choice;
    choice.structure = whole(model);
    std::vector<size_t> taken(curves.size());
    while (choice.removed_params < params_to_remove) {
        size_t best = curves.size();
        Offer offer;
        for (size_t c = 0; c < curves.size(); c++) {
            const Offer mine = next_offer(curves[c], taken[c]);
            if (mine.params > 0 && (best == curves.size() || mine.slope() < offer.slope())) best = c, offer = mine;
        }
        if (best == curves.size())
            throw UsageError(fmt::format("{} weights were to go, but only {} can: every layer keeps something",
                                         params_to_remove, choice.removed_params));
        // Of a long run only as many steps as are wanted.
        const CutCurve& curve = curves[best];
        KeptLayer& layer = choice.structure.layers[static_cast<size_t>(curve.layer)];
        const double before = taken[best] > 0 ? curve.steps[taken[best] - 1].error : 0;
        while (taken[best] < offer.until && choice.removed_params < params_to_remove) {
            const RemovalStep& step = curve.steps[taken[best]++];
            remove_units(curve.kind == UnitKind::kv_heads ? layer.kv_heads : layer.channels, step);
            choice.removed_params += curve.params_per_unit * static_cast<int64_t>(step.units.size());
        }
        choice.predicted_kl += curve.gain * std::max(0.0, curve.steps[taken[best] - 1].error - before);
    }
    return choice;
}

}  // namespace ech0
