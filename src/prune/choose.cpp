#include "prune/choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "ech0/error.h"

namespace ech0 {
namespace {

/// The cheapest that a curve or a layer offers next.
struct Offer {
    size_t until = 0;  // of a curve: steps taken after it
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

struct Kinds {
    const char* name;
    bool kv_heads = true, channels = true, layers = true;
    bool has(UnitKind kind) const { return kind == UnitKind::kv_heads ? kv_heads : channels; }
};

constexpr Kinds all_kinds = {"units", true, true, true}, only_layers = {"layers", false, false, true},
                only_kv_heads = {"KV heads", true, false, false},
                only_channels = {"feed-forward channels", false, true, false};

/// "3 layers", "2000000 weights in KV heads".
std::string text_of(const Quota& quota, const Kinds& kinds) {
    if (quota.units > 0) return fmt::format("{} {}", quota.units, kinds.name);
    return kinds.layers && kinds.channels ? fmt::format("{} weights", quota.params)
                                          : fmt::format("{} weights in {}", quota.params, kinds.name);
}

/// The model while parts of it leave.
class Greedy {
public:
    Greedy(const Model& model, const CutCosts& costs, double stop_at_kl)
        : model_(model), costs_(costs), stop_at_kl_(stop_at_kl), taken_(costs.curves.size()) {
        choice_.structure = whole(model);
    }

    void spend(const Quota& quota, const Kinds& kinds) {
        if (!quota.asked() || stopped_) return;
        refuse_crumbs(quota, kinds);
        Gone gone;
        while (!gone.enough(quota)) {
            const Best best = cheapest(kinds);
            if (quota.kl > 0 && (best.offer.params == 0 || choice_.predicted_kl + best.offer.kl > quota.kl)) break;
            if (best.offer.params > 0 && choice_.predicted_kl + best.offer.kl > stop_at_kl_) {
                stopped_ = true;
                break;
            }
            if (best.curve == costs_.curves.size() && best.layer == costs_.layers.size())
                throw UsageError(fmt::format("{} were to go, but only {} can: every layer keeps something",
                                             text_of(quota, kinds), quota.units > 0 ? gone.units : gone.params));
            if (best.layer < costs_.layers.size())
                take_layer(costs_.layers[best.layer], best.offer, gone);
            else
                take_steps(best.curve, best.offer, quota, gone);
        }
        if (gone.params == 0 && !stopped_)
            throw UsageError(fmt::format("nothing can go at a predicted KL divergence of at most {:.2g}", quota.kl));
        choice_.removed_params += gone.params;
    }

    Choice finish() {
        std::erase_if(choice_.structure.layers, [&](const KeptLayer& l) { return gone_layers_.contains(l.layer); });
        return choice_;
    }

private:
    struct Gone {
        int64_t units = 0, params = 0;
        bool enough(const Quota& quota) const {
            if (quota.kl > 0) return false;
            return quota.units > 0 ? units >= quota.units : params >= quota.params;
        }
    };
    struct Best {
        size_t curve, layer;
        Offer offer;
    };

    KeptLayer& kept(int64_t layer) { return choice_.structure.layers[static_cast<size_t>(layer)]; }

    Offer layer_offer(const LayerCost& cost) {
        if (gone_layers_.contains(cost.layer)) return {};
        const KeptLayer& l = kept(cost.layer);
        const auto paid = paid_.find(cost.layer);
        return {0, std::max(0.0, cost.kl - (paid == paid_.end() ? 0 : paid->second)),
                layer_params(model_, cost.layer, static_cast<int64_t>(l.kv_heads.size()),
                             static_cast<int64_t>(l.channels.size()))};
    }

    Best cheapest(const Kinds& kinds) {
        Best best{costs_.curves.size(), costs_.layers.size(), {}};
        const auto cheaper = [&](const Offer& mine) {
            return mine.params > 0 && (best.offer.params == 0 || mine.slope() < best.offer.slope());
        };
        for (size_t c = 0; c < costs_.curves.size(); c++) {
            const CutCurve& curve = costs_.curves[c];
            if (!kinds.has(curve.kind) || gone_layers_.contains(curve.layer)) continue;
            if (const Offer mine = next_offer(curve, taken_[c]); cheaper(mine)) best = {c, costs_.layers.size(), mine};
        }
        for (size_t l = 0; kinds.layers && l < costs_.layers.size(); l++)
            if (const Offer mine = layer_offer(costs_.layers[l]); cheaper(mine)) best = {costs_.curves.size(), l, mine};
        return best;
    }

    void take_layer(const LayerCost& cost, const Offer& offer, Gone& gone) {
        gone_layers_.insert(cost.layer);
        gone.units++;
        gone.params += offer.params;
        choice_.predicted_kl += offer.kl;
    }

    /// Of a long run only as many steps as are wanted.
    void take_steps(size_t c, const Offer& offer, const Quota& quota, Gone& gone) {
        const CutCurve& curve = costs_.curves[c];
        KeptLayer& layer = kept(curve.layer);
        const double before = taken_[c] > 0 ? curve.steps[taken_[c] - 1].error : 0;
        while (taken_[c] < offer.until && !gone.enough(quota)) {
            const RemovalStep& step = curve.steps[taken_[c]++];
            remove_units(curve.kind == UnitKind::kv_heads ? layer.kv_heads : layer.channels, step);
            gone.units += static_cast<int64_t>(step.units.size());
            gone.params += curve.params_per_unit * static_cast<int64_t>(step.units.size());
        }
        const double kl = curve.gain * std::max(0.0, curve.steps[taken_[c] - 1].error - before);
        choice_.predicted_kl += kl;
        paid_[curve.layer] += kl;
    }

    /// Less than the smallest step would silently become a whole step.
    void refuse_crumbs(const Quota& quota, const Kinds& kinds) {
        if (quota.kl > 0) return;
        int64_t units = std::numeric_limits<int64_t>::max(), params = units;
        for (const CutCurve& curve : costs_.curves) {
            if (!kinds.has(curve.kind) || curve.steps.empty()) continue;
            const auto n = static_cast<int64_t>(curve.steps.front().units.size());
            units = std::min(units, n);
            params = std::min(params, n * curve.params_per_unit);
        }
        for (const LayerCost& cost : costs_.layers)
            if (kinds.layers) units = 1, params = std::min(params, layer_offer(cost).params);
        if (params == std::numeric_limits<int64_t>::max()) return;  // nothing at all: said when it is looked for
        if (quota.units > 0 ? quota.units < units : quota.params < params)
            throw UsageError(
                fmt::format("{} are less than the smallest step, {}", text_of(quota, kinds),
                            quota.units > 0 ? fmt::format("{} of them", units) : fmt::format("{} weights", params)));
    }

    const Model& model_;
    const CutCosts& costs_;
    const double stop_at_kl_;
    bool stopped_ = false;
    std::vector<size_t> taken_;
    std::map<int64_t, double> paid_;  // KL for parts of a layer
    std::set<int64_t> gone_layers_;
    Choice choice_;
};

}  // namespace

Quota quota_of(const Amount& amount, int64_t n_units, int64_t n_params) {
    const auto whole_number = [](double n) {
        return static_cast<int64_t>(std::min(std::max(1.0, std::round(n)), 9e18));
    };
    switch (amount.of) {
        case Amount::Of::units: return {whole_number(amount.value), 0, 0};
        case Amount::Of::weights: return {0, whole_number(amount.value), 0};
        case Amount::Of::share:
            return n_params > 0 ? Quota{0, whole_number(amount.value * static_cast<double>(n_params)), 0}
                                : Quota{whole_number(amount.value * static_cast<double>(n_units)), 0, 0};
        case Amount::Of::nothing: break;
    }
    return {};
}

Choice choose_units(const Model& model, const CutCosts& costs, const CutGoal& goal, double stop_at_kl) {
    Greedy greedy(model, costs, stop_at_kl);
    greedy.spend(goal.all, all_kinds);
    greedy.spend(goal.layers, only_layers);
    greedy.spend(goal.kv_heads, only_kv_heads);
    greedy.spend(goal.channels, only_channels);
    return greedy.finish();
}

}  // namespace ech0
