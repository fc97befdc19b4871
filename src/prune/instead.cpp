#include "prune/instead.h"

#include <algorithm>
#include <vector>

#include "compress/rounding.h"
#include "plan/candidates.h"
#include "plan/presets.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

// From the largest; each but the last two has blocks of 32, which any row that can be rounded at all is a multiple of.
constexpr ggml_type types[] = {GGML_TYPE_Q8_0, GGML_TYPE_Q5_0, GGML_TYPE_Q4_0, GGML_TYPE_Q3_K, GGML_TYPE_Q2_K};

/// The type that a tensor gets: its own if that is no larger, the next larger one where rows don't fit.
ggml_type type_of(const Tensor& t, ggml_type wanted) {
    const auto own = static_cast<ggml_type>(t.type);
    if (!is_compressible(t)) return own;
    for (const ggml_type type : {wanted, GGML_TYPE_Q4_0})
        if (t.n_cols() % ggml_blck_size(type) == 0)
            return ggml_row_size(type, t.n_cols()) < ggml_row_size(own, t.n_cols()) ? type : own;
    return own;
}

std::vector<std::byte> rounded(const Source& source, const Tensor& t, ggml_type type) {
    const std::vector<float> alike = column_weights(t, nullptr);
    const size_t row_bytes = ggml_row_size(type, t.n_cols());
    std::vector<std::byte> bytes(row_bytes * static_cast<size_t>(t.n_rows()));
    constexpr int64_t slab = 1024;
    std::vector<float> rows(static_cast<size_t>(slab * t.n_cols()));
    for (int64_t first = 0; first < t.n_rows(); first += slab) {
        const int64_t n = std::min(slab, t.n_rows() - first);
        source.rows(t, first, n, rows.data());
        round_rows(type, rows.data(), n, t.n_cols(), alike.data(),
                   bytes.data() + static_cast<size_t>(first) * row_bytes);
    }
    return bytes;
}

Weights all_rounded(const Source& source, ggml_type wanted) {
    Weights weights = source.as_stored();
    weights.type = [wanted](const Tensor& t) { return type_of(t, wanted); };
    weights.bytes = [&source, wanted, stored = weights.bytes](
                        const Tensor& t, std::vector<std::byte>& scratch) -> std::span<const std::byte> {
        const ggml_type type = type_of(t, wanted);
        if (type == static_cast<ggml_type>(t.type)) return stored(t, scratch);
        scratch = rounded(source, t, type);
        return scratch;
    };
    return weights;
}

}  // namespace

Instead quantize_instead(const Source& source, int64_t budget_bytes, const Judge& judge) {
    const Model& model = source.model();
    if (model.size_bytes <= budget_bytes) return {"as it is", model.size_bytes, 0};
    for (const ggml_type type : types) {
        std::vector<ggml_type> of_tensors;
        for (const Tensor& t : model.tensors) of_tensors.push_back(type_of(t, type));
        const int64_t size = preset_of_types(model, type_label(type), of_tensors).file_bytes;
        if (size > budget_bytes) continue;
        return {type_label(type), size, mean_of(judge.kl(model, all_rounded(source, type)))};
    }
    return {};
}

}  // namespace ech0
