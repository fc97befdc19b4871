#include "prune/zeroed.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "prune/costs.h"
#include "prune/removal.h"
#include "prune/tensor_matrix.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

/// The layer that a tensor such as "blk.3.ffn_down.weight" is of; -1: of none.
int64_t layer_of(const std::string& name) {
    int64_t layer = -1;
    if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
    return layer;
}

/// Units of the layer whose outputs a tensor has, that stay; null: the tensor is not where a part puts out.
const std::vector<int32_t>* kept_units(const Structure& structure, const std::string& name) {
    static const std::vector<int32_t> none;
    const bool attention = name.find(".attn_output.") != std::string::npos;
    if (!attention && name.find(".ffn_down.") == std::string::npos) return nullptr;
    for (const KeptLayer& l : structure.layers)
        if (l.layer == layer_of(name)) return attention ? &l.kv_heads : &l.channels;
    return &none;
}

int64_t n_units_of(const Model& model, const std::string& name) {
    const auto at = static_cast<size_t>(layer_of(name));
    return name.find(".attn_") != std::string::npos ? model.n_head_kv[at] : model.n_ff[at];
}

std::vector<int32_t> gone_units(const std::vector<int32_t>& kept, int64_t n_units) {
    std::vector<int32_t> gone;
    for (int32_t u = 0; u < n_units; u++)
        if (!std::binary_search(kept.begin(), kept.end(), u)) gone.push_back(u);
    return gone;
}

/// W without these units, each of so many neighbouring columns.
using Take =
    std::function<Matrix(const Tensor&, Matrix w, int64_t unit_columns, const std::vector<int32_t>& gone_units)>;

Weights cut_by(const Source& source, const Structure& structure, const Take& take) {
    Weights weights = source.as_f16();
    weights.bytes = [&source, &structure, take, plain = weights.bytes](
                        const Tensor& t, std::vector<std::byte>& scratch) -> std::span<const std::byte> {
        const std::vector<int32_t>* const kept = kept_units(structure, t.name);
        if (kept == nullptr) return plain(t, scratch);
        Matrix w = tensor_matrix(source, t);
        const int64_t n_units = n_units_of(source.model(), t.name);
        if (kept->empty())
            w.setZero();
        else if (t.name.ends_with(".weight") && static_cast<int64_t>(kept->size()) < n_units)
            w = take(t, w, w.cols() / n_units, gone_units(*kept, n_units));
        scratch.resize(ggml_row_size(plain_type(t), w.cols()) * static_cast<size_t>(w.rows()));
        from_float(plain_type(t), w.data(), scratch.data(), w.size());
        return scratch;
    };
    return weights;
}

}  // namespace

Weights zeroed(const Source& source, const Structure& structure) {
    return cut_by(source, structure,
                  [](const Tensor&, Matrix w, int64_t unit_columns, const std::vector<int32_t>& gone) {
                      for (const int32_t u : gone) w.middleCols(u * unit_columns, unit_columns).setZero();
                      return w;
                  });
}

Weights made_up(const Source& source, const Structure& structure, const MomentStore& moments) {
    return cut_by(source, structure,
                  [&moments](const Tensor& t, Matrix w, int64_t unit_columns, const std::vector<int32_t>& gone) {
                      return without_units(w, whole_moment(moments.get(t.name)), unit_columns, gone, removal_ridge);
                  });
}

}  // namespace ech0
