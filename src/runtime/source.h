#pragma once

#include <ggml.h>

#include <span>
#include <vector>

#include "base/file.h"
#include "ech0/model.h"
#include "runtime/weights.h"

namespace ech0 {

/// The weights of a model file, read in place.
class Source {
public:
    /// @throws FileError
    explicit Source(const Model& model);

    const Model& model() const { return model_; }

    /// The tensor's bytes as the file has them; read from disk when touched.
    std::span<const std::byte> bytes(const Tensor& tensor) const;

    /// Rows first_row … first_row + n_rows - 1 as float32, [n_rows, n_cols].
    void rows(const Tensor& tensor, int64_t first_row, int64_t n_rows, float* out) const;

    /// The tensor's pages are not needed for now.
    void release(const Tensor& tensor) const;

    /// The model as it is.
    Weights as_stored() const;

    /// The model with every quantized matrix as F16, so that any perturbed matrix can be put in its place.
    Weights as_f16() const;

private:
    const Model& model_;
    std::vector<MappedFile> files_;
};

/// The matrix that gives the logits: the embedding where they are tied. @throws FormatError if it is not there
const Tensor& output_matrix(const Model& model);

/// For walks that only want what enters the output matrix: it need not be in memory.
Weights without_output_matrix(const Model& model, const Weights& weights);

/// Type of a tensor in Source::as_f16.
ggml_type plain_type(const Tensor& tensor);

/// Hidden states that enter layer 0: the embedding's rows, scaled as the architecture does. [tokens.size(), n_embd]
/// @param embedding  bytes of token_embd.weight in type `type`
std::vector<float> embed(const Model& model, ggml_type type, std::span<const std::byte> embedding,
                         std::span<const int32_t> tokens);

}  // namespace ech0
