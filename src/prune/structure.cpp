#include "prune/structure.h"

#include <fmt/format.h>

#include <numeric>
#include <set>

#include "ech0/error.h"
#include "model/metadata.h"

namespace ech0 {
namespace {

std::vector<int32_t> all_of(int64_t n) {
    std::vector<int32_t> indices(static_cast<size_t>(n));
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
}

}  // namespace

Structure whole(const Model& model) {
    Structure structure;
    for (int64_t i = 0; i < model.n_layer; i++) {
        const auto at = static_cast<size_t>(i);
        structure.layers.push_back({i, all_of(model.n_head_kv[at]), all_of(model.n_ff[at])});
    }
    return structure;
}

int64_t layer_params(const Model& model, int64_t layer, int64_t n_kv_heads, int64_t n_channels) {
    const auto at = static_cast<size_t>(layer);
    const std::string prefix = fmt::format("blk.{}.", layer);
    int64_t n = 0;
    for (const Tensor& t : model.tensors) {
        if (!t.name.starts_with(prefix)) continue;
        const bool attention = t.name.find("attn_") != std::string::npos;
        const int64_t kept = attention ? n_kv_heads : n_channels;
        const int64_t of = attention ? model.n_head_kv[at] : model.n_ff[at];
        const bool stays_whole = t.name.ends_with("_norm.weight") || t.name.ends_with("attn_output.bias") ||
                                 t.name.ends_with("ffn_down.bias");
        if (kept > 0 && of > 0) n += stays_whole ? t.n_elements : t.n_elements / of * kept;
    }
    return n;
}

int64_t n_params(const Model& model, const Structure& structure) {
    int64_t n = 0;
    for (const Tensor& t : model.tensors)
        if (!t.name.starts_with("blk.")) n += t.n_elements;
    for (const KeptLayer& l : structure.layers)
        n += layer_params(model, l.layer, static_cast<int64_t>(l.kv_heads.size()),
                          static_cast<int64_t>(l.channels.size()));
    return n;
}

void check_prunable(const Model& model) {
    static const std::set<std::string, std::less<>> known = {"llama", "qwen2", "deci"};
    const std::string file = model.files.front().string();
    if (!known.contains(model.architecture))
        throw UsageError(
            fmt::format("{}: {} cannot be pruned: layers of different widths can be written only as "
                        "architecture deci, which has no {}",
                        file, model.architecture,
                        model.architecture == "gemma3"  ? "norms behind attention and feed-forward"
                        : model.architecture == "qwen3" ? "norms of queries and keys"
                        : model.architecture == "phi3"  ? "fused matrices"
                                                        : "such graph"));
    if (model.n_expert > 0)
        throw UsageError(fmt::format("{}: a mixture of experts loses only whole experts: deci has none", file));
    if (model.n_embd_head_k != model.n_embd_head_v)
        throw UsageError(fmt::format("{}: keys of {} and values of {}: architecture deci wants them alike", file,
                                     model.n_embd_head_k, model.n_embd_head_v));
    const int64_t n_rot =
        find_integer(model.metadata, model.architecture + ".rope.dimension_count").value_or(model.n_embd_head_k);
    if (n_rot != model.n_embd_head_k)
        throw UsageError(fmt::format("{}: RoPE turns {} of {} dimensions: architecture deci turns all", file, n_rot,
                                     model.n_embd_head_k));
}

void check_runnable(const Structure& structure) {
    if (structure.layers.empty()) throw UsageError("no layer would be left");
    if (structure.layers.front().kv_heads.empty())
        throw UsageError(
            "the first layer that stays must keep a head: the engine takes the width of all heads from it");
    for (const KeptLayer& l : structure.layers)
        if (l.channels.empty())
            throw UsageError(
                fmt::format("layer {} must keep feed-forward channels: without them architecture deci "
                            "loses what its attention puts out",
                            l.layer));
}

}  // namespace ech0
