#include "report/prune.h"

#include <fmt/format.h>

#include "ech0/units.h"
#include "report/table.h"

namespace ech0 {
namespace {

struct Total {
    int64_t kv_heads = 0, channels = 0;
};

Total total_removed(const Pruning& p) {
    Total total;
    for (const PrunedLayer& l : p.layers) {
        total.kv_heads += l.n_kv_heads_before - l.n_kv_heads;
        total.channels += l.n_channels_before - l.n_channels;
    }
    return total;
}

}  // namespace

Json prune_json(const Pruning& p) {
    Json layers = Json::array();
    for (const PrunedLayer& l : p.layers)
        layers.push_back({{"layer", l.layer},
                          {"kv_heads_before", l.n_kv_heads_before},
                          {"kv_heads", l.n_kv_heads},
                          {"ffn_channels_before", l.n_channels_before},
                          {"ffn_channels", l.n_channels}});
    const Total total = total_removed(p);
    return {{"schema", "ech0.prune/1"},
            {"source", {{"path", p.source_path}, {"sha256", p.source_sha256}}},
            {"output", {{"path", p.path}, {"size_bytes", p.size_bytes}, {"sha256", p.sha256}}},
            {"removed",
             {{"parameters", p.n_params_before - p.n_params},
              {"kv_heads", total.kv_heads},
              {"ffn_channels", total.channels}}},
            {"layers", std::move(layers)},
            {"kl_divergence",
             {{"predicted", p.predicted_kl},
              {"unrepaired", p.kl_unrepaired},
              {"repaired", p.kl_repaired > 0 ? Json(p.kl_repaired) : Json(nullptr)},
              {"n_tokens", p.n_tokens_judged}}},
            {"seconds", p.seconds},
            {"peak_memory_bytes", p.peak_memory_bytes}};
}

std::string prune_text(const Pruning& p) {
    const int64_t removed = p.n_params_before - p.n_params;
    std::string text =
        fmt::format("{}: {}, {:.1f} % of {:.1f} million weights removed\n\n", p.path, format_disk(p.size_bytes),
                    100.0 * static_cast<double>(removed) / static_cast<double>(p.n_params_before),
                    static_cast<double>(p.n_params_before) / 1e6);
    Table table({{"layer"}, {"KV heads", Table::Align::right}, {"ffn channels", Table::Align::right}});
    for (const PrunedLayer& l : p.layers)
        if (l.n_kv_heads != l.n_kv_heads_before || l.n_channels != l.n_channels_before)
            table.add({std::to_string(l.layer), fmt::format("{} of {}", l.n_kv_heads, l.n_kv_heads_before),
                       fmt::format("{} of {}", l.n_channels, l.n_channels_before)});
    text += table.text();
    text += fmt::format("\nKL divergence to the original on {} tokens held out: {:.4f} as cut", p.n_tokens_judged,
                        p.kl_unrepaired);
    if (p.kl_repaired > 0) text += fmt::format(", {:.4f} repaired", p.kl_repaired);
    text += fmt::format(" (predicted {:.4f})\nMade in {}, {} of memory at most.\n", p.predicted_kl,
                        format_duration(p.seconds), format_memory(p.peak_memory_bytes));
    text += fmt::format(
        "Next: ech0 compress {} --size SIZE -o OUT.gguf, and at the same size without pruning: at equal "
        "bytes that is often closer\n",
        p.path);
    return text;
}

}  // namespace ech0
