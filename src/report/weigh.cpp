#include "report/weigh.h"

#include <fmt/format.h>

#include "ech0/units.h"
#include "report/table.h"

namespace ech0 {
namespace {

size_t chosen_index(const Weighing& w) { return static_cast<size_t>(&w.chosen() - w.ways.data()); }

/// KL of the chosen way less that of nothing pruned, if both were compared on the same tokens.
const PairedDifference* difference(const Weighing& w, double& sign) {
    const auto chosen = static_cast<int64_t>(chosen_index(w));
    for (const PairedDifference& d : w.evidence.paired) {
        sign = d.a == chosen ? 1 : -1;
        if ((d.a == 0 && d.b == chosen) || (d.b == 0 && d.a == chosen)) return &d;
    }
    return nullptr;
}

}  // namespace

std::string verdict(const Weighing& w) {
    if (w.ways.size() == 1) return fmt::format("Nothing was pruned: {}.", w.stopped);
    if (chosen_index(w) == 0)
        return fmt::format("Do not prune: at equal bytes {} has a KL divergence of {:.4f}, {} only {:.4f}.",
                           w.ways[1].what, w.ways[1].kl, w.ways[0].what, w.ways[0].kl);
    double sign = 1;
    const PairedDifference* const d = difference(w, sign);
    if (d == nullptr) return fmt::format("Prune: {}.", w.chosen().what);
    const double mean = sign * d->kl_difference.mean;
    const double low = sign > 0 ? d->kl_difference.low : -d->kl_difference.high;
    const double high = sign > 0 ? d->kl_difference.high : -d->kl_difference.low;
    const bool sure = high < 0;
    return fmt::format("{}: {} changes the KL divergence by {:+.4f} [{:+.4f}, {:+.4f}] at equal bytes{}.",
                       sure ? "Prune" : "Pruning is no sure gain", w.chosen().what, mean, low, high,
                       sure ? "" : "; it was better on the text held out, and is what was written");
}

Json ways_json(const Weighing& w) {
    Json ways = Json::array();
    for (size_t i = 0; i < w.ways.size(); i++) {
        const Way& way = w.ways[i];
        const Candidate& measured = w.evidence.candidates[i];
        ways.push_back({{"what", way.what},
                        {"parameters", way.n_params},
                        {"size_bytes", way.artifact.size_bytes},
                        {"bits_per_weight", way.artifact.bits_per_weight},
                        {"kl_pruned", way.kl_pruned > 0 ? Json(way.kl_pruned) : Json(nullptr)},
                        {"selection_kl_divergence", way.kl},
                        {"kl_divergence",
                         {{"mean", measured.kl_divergence.mean},
                          {"low", measured.kl_divergence.low},
                          {"high", measured.kl_divergence.high}}},
                        {"bits_per_byte", way.bits_per_byte.bits_per_byte},
                        {"chosen", way.chosen}});
    }
    return ways;
}

std::string ways_text(const Weighing& w) {
    Table table({{"at equal bytes"},
                 {"size", Table::Align::right},
                 {"bits/weight", Table::Align::right},
                 {"KL divergence", Table::Align::right},
                 {"interval", Table::Align::right},
                 {"bits/byte", Table::Align::right}});
    table.add({"the original", "", "", "", "", fmt::format("{:.4f}", w.original.bits_per_byte)});
    for (size_t i = 0; i < w.ways.size(); i++) {
        const Way& way = w.ways[i];
        const Distribution& kl = w.evidence.candidates[i].kl_divergence;
        table.add({way.what + (way.chosen ? " *" : ""), format_disk(way.artifact.size_bytes),
                   fmt::format("{:.2f}", way.artifact.bits_per_weight), fmt::format("{:.4f}", kl.mean),
                   fmt::format("{:.4f} to {:.4f}", kl.low, kl.high),
                   fmt::format("{:.4f}", way.bits_per_byte.bits_per_byte)});
    }
    if (!w.sibling_path.empty())
        table.add(
            {w.sibling_path, format_disk(w.sibling_bytes), "", "", "", fmt::format("{:.4f}", w.sibling.bits_per_byte)});
    return fmt::format(
        "{}\n* written. {}\nNo more was tried: {}. Bits per byte of text compare models whose tokens "
        "differ; all on {} bytes of {}.\n",
        table.text(), verdict(w), w.stopped, w.original.n_bytes, w.evidence.text_path);
}

}  // namespace ech0
