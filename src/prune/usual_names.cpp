#include "prune/usual_names.h"

#include <algorithm>
#include <set>

#include "prune/baselines.h"

namespace ech0 {
namespace {

std::string method_of(UnitScore score, const char* measured) {
    switch (score) {
        case UnitScore::measured: return measured;
        case UnitScore::magnitude: return "squares of their own weights";
        case UnitScore::flap: break;
    }
    return "fluctuation of their inputs times the squares of the weights that read them (FLAP)";
}

/// How many of `gone` are among as many units with the least scores.
int64_t n_also_least(const std::vector<double>& scores, const std::set<int32_t>& gone) {
    if (gone.empty()) return 0;
    const std::vector<RemovalStep> least = steps_by_score(scores, 1);  // one stays: then all but it are listed
    int64_t n = 0;
    for (size_t i = 0; i < std::min(gone.size(), least.size()); i++) n += gone.contains(least[i].units.front()) ? 1 : 0;
    return gone.size() > least.size() ? n + 1 : n;
}

std::set<int32_t> gone_of(int64_t n, const std::vector<int32_t>& kept) {
    std::set<int32_t> gone;
    for (int32_t i = 0; i < n; i++)
        if (!std::binary_search(kept.begin(), kept.end(), i)) gone.insert(i);
    return gone;
}

struct Overlap {
    int64_t removed = 0, same = 0;
    void add(const std::vector<double>& scores, const std::set<int32_t>& gone) {
        removed += static_cast<int64_t>(gone.size());
        same += n_also_least(scores, gone);
    }
    double share() const { return removed > 0 ? static_cast<double>(same) / static_cast<double>(removed) : 0; }
};

Overlap overlap_of(const Source& source, const Structure& structure, UnitKind kind) {
    const Model& model = source.model();
    Overlap overlap;
    for (const KeptLayer& l : structure.layers) {
        const bool heads = kind == UnitKind::kv_heads;
        const int64_t n = (heads ? model.n_head_kv : model.n_ff)[static_cast<size_t>(l.layer)];
        const std::set<int32_t> gone = gone_of(n, heads ? l.kv_heads : l.channels);
        if (!gone.empty()) overlap.add(magnitude_scores(source, unit_matrices(model, l.layer, kind)), gone);
    }
    return overlap;
}

/// Layers by the squares of all their weights.
Overlap layer_overlap(const Source& source, const Structure& structure) {
    const Model& model = source.model();
    std::vector<int32_t> kept;
    for (const KeptLayer& l : structure.layers) kept.push_back(static_cast<int32_t>(l.layer));
    const std::set<int32_t> gone = gone_of(model.n_layer, kept);
    if (gone.empty()) return {};
    Overlap overlap;
    overlap.add(layer_magnitudes(source), gone);
    return overlap;
}

}  // namespace

std::vector<UsualName> usual_names(const Source& source, const Structure& structure, UnitScore score) {
    const Overlap heads = overlap_of(source, structure, UnitKind::kv_heads),
                  channels = overlap_of(source, structure, UnitKind::channels),
                  layers = layer_overlap(source, structure);
    const char* const least_squares = "least-squares loss of the output times a measured gain";
    std::vector<UsualName> names;
    if (heads.removed > 0)
        names.push_back(
            {"KV heads", "Head Importance Score", method_of(score, least_squares), heads.removed, heads.share()});
    if (channels.removed > 0)
        names.push_back(
            {"ffn channels", "FFN magnitude", method_of(score, least_squares), channels.removed, channels.share()});
    if (layers.removed > 0)
        names.push_back({"layers", "redundant layers", "KL divergence with the layer passed by, measured",
                         layers.removed, layers.share()});
    return names;
}

}  // namespace ech0
