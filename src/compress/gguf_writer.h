#pragma once

#include <ggml-cpp.h>

#include <filesystem>
#include <span>
#include <string>

#include "ech0/artifact.h"
#include "ech0/model.h"
#include "runtime/gguf_output.h"

namespace ech0 {

/// Where a file comes from, in its own metadata under `ech0.`: the length of these keys does not depend on the plan.
struct Provenance {
    std::string source_name, source_sha256, calibration_name, calibration_sha256, engine, recipe;
    int64_t source_size_bytes = 0, calibration_n_tokens = 0, budget_bytes = 0;
    double selection_kl_divergence = 0;  ///< measured end to end on the selection text, nats per token
    int64_t selection_n_tokens = 0;
};

/// The head of an output file: the source's metadata, our provenance, the tensor index with the planned types.
class GgufHead {
public:
    /// @param types  the type of each tensor of the model, by its index
    GgufHead(const Model& model, std::span<const int32_t> types, const Provenance& provenance);

    int64_t head_bytes() const;                  ///< metadata and index, padded
    int64_t padded(int64_t tensor_bytes) const;  ///< what a tensor of this size takes in the file
    int64_t file_bytes() const;

    /// Write the file; `read` gives each tensor's bytes in order.
    /// @throws FileError, Interrupted; nothing is left under the target's name then
    /// @return its SHA-256
    std::string write(const std::filesystem::path& target, const TensorBytes& read, const Proof& proof) const;

private:
    gguf_context_ptr gguf_;
    ggml_context_ptr tensors_;
};

}  // namespace ech0
