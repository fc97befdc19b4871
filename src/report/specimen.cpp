#include "report/specimen.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

constexpr int64_t super_block = 256;

Specimen cut_out(const Model& model, const Tensor& tensor) {
    const auto type = static_cast<ggml_type>(tensor.type);
    const int64_t row = tensor.n_rows() / 2;
    const auto row_bytes = static_cast<int64_t>(ggml_row_size(type, tensor.n_cols()));
    const MappedFile file(model.files[static_cast<size_t>(tensor.part)]);
    std::vector<float> weights(static_cast<size_t>(tensor.n_cols()));
    to_float(type, file.data() + tensor.offset_bytes + row * row_bytes, weights.data(), tensor.n_cols());
    const int64_t first = tensor.n_cols() / 2 / super_block * super_block;
    const int64_t last = std::min(first + super_block, tensor.n_cols());
    return {tensor.name, tensor.type_name, row, first, {weights.begin() + first, weights.begin() + last}};
}

}  // namespace

std::vector<Specimen> specimens(const Model& model) {
    if (!model.has_weights) return {};
    for (const char* part : {"ffn_down", "ffn_up", "attn_output"})
        if (const Tensor* const tensor = model.find(fmt::format("blk.{}.{}.weight", model.n_layer / 2, part)))
            return {cut_out(model, *tensor)};
    return {};
}

}  // namespace ech0
