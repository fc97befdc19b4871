#include "runtime/source.h"

#include <algorithm>
#include <cmath>

#include "ech0/error.h"
#include "runtime/ggml_types.h"

namespace ech0 {

Source::Source(const Model& model) : model_(model) {
    model.require_weights();
    for (const auto& file : model.files) files_.emplace_back(file);
}

std::span<const std::byte> Source::bytes(const Tensor& tensor) const {
    const uint8_t* begin = files_[static_cast<size_t>(tensor.part)].data() + tensor.offset_bytes;
    return {reinterpret_cast<const std::byte*>(begin), static_cast<size_t>(tensor.size_bytes)};
}

void Source::rows(const Tensor& tensor, int64_t first_row, int64_t n_rows, float* out) const {
    const auto type = static_cast<ggml_type>(tensor.type);
    const size_t row_bytes = ggml_row_size(type, tensor.n_cols());
    to_float(type, bytes(tensor).data() + static_cast<size_t>(first_row) * row_bytes, out, n_rows * tensor.n_cols());
}

void Source::release(const Tensor& tensor) const {
    files_[static_cast<size_t>(tensor.part)].release(tensor.offset_bytes, tensor.size_bytes);
}

Weights Source::as_stored() const {
    return {[](const Tensor& tensor) { return static_cast<ggml_type>(tensor.type); },
            [this](const Tensor& tensor, std::vector<std::byte>&) { return bytes(tensor); },
            [this](const Tensor& tensor) { release(tensor); }};
}

const Tensor& output_matrix(const Model& model) {
    const char* const name = model.tied_embeddings ? "token_embd.weight" : "output.weight";
    const Tensor* tensor = model.find(name);
    if (tensor == nullptr) throw FormatError(model.files.front().string() + ": no tensor " + name);
    return *tensor;
}

Weights without_output_matrix(const Model& model, const Weights& weights) {
    return {weights.type,
            [name = output_matrix(model).name, weights](const Tensor& t, std::vector<std::byte>& scratch) {
                return t.name == name ? std::span<const std::byte>() : weights.bytes(t, scratch);
            },
            weights.release};
}

ggml_type plain_type(const Tensor& tensor) {
    const auto type = static_cast<ggml_type>(tensor.type);
    return ggml_is_quantized(type) ? GGML_TYPE_F16 : type;
}

Weights Source::as_f16() const {
    return {plain_type,
            [this](const Tensor& tensor, std::vector<std::byte>& scratch) -> std::span<const std::byte> {
                const ggml_type type = plain_type(tensor);
                if (type == static_cast<ggml_type>(tensor.type)) return bytes(tensor);
                const size_t row_bytes = ggml_row_size(type, tensor.n_cols());
                scratch.resize(row_bytes * static_cast<size_t>(tensor.n_rows()));
                std::vector<float> row(static_cast<size_t>(tensor.n_cols()));
                for (int64_t r = 0; r < tensor.n_rows(); r++) {
                    rows(tensor, r, 1, row.data());
                    from_float(type, row.data(), scratch.data() + static_cast<size_t>(r) * row_bytes, tensor.n_cols());
                }
                return scratch;
            },
            [this](const Tensor& tensor) { release(tensor); }};
}

std::vector<float> embed(const Model& model, ggml_type type, std::span<const std::byte> embedding,
                         std::span<const int32_t> tokens) {
    const size_t row_bytes = ggml_row_size(type, model.n_embd);
    std::vector<float> hidden(tokens.size() * static_cast<size_t>(model.n_embd));
    for (size_t i = 0; i < tokens.size(); i++)
        to_float(type, embedding.data() + static_cast<size_t>(tokens[i]) * row_bytes,
                 hidden.data() + i * static_cast<size_t>(model.n_embd), model.n_embd);
    // Gemma multiplies token embeddings by sqrt(n_embd), but takes hidden states as they are.
    if (model.architecture == "gemma3") {
        const float scale = std::sqrt(static_cast<float>(model.n_embd));
        std::transform(hidden.begin(), hidden.end(), hidden.begin(), [scale](float x) { return x * scale; });
    }
    return hidden;
}

}  // namespace ech0
