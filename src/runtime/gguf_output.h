#pragma once

#include <ggml-cpp.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// A model file's keys, for a file made from it; without those that say it was split.
/// @throws EngineError
gguf_context_ptr copied_keys(const Model& model);

/// What the file that these keys and this index of tensors describe will take.
int64_t file_bytes(const gguf_context* gguf);

/// The bytes of a tensor by its number in the index; may be written into `scratch` or lie elsewhere.
using TensorBytes = std::function<std::span<const std::byte>(size_t tensor, std::vector<std::byte>& scratch)>;

/// A last look at a file before it takes its name; throws if it is not what it should be.
using Proof = std::function<void(const Model& written)>;

/// Write the file, tensor by tensor; it takes its name when it is whole and proven: read again from the disk it has the
/// bytes that were written, its keys and index pass read_model, and `proof` does not throw.
/// @return SHA-256 of the file
/// @throws FileError, FormatError, Interrupted, what `proof` throws; nothing is left under the target's name then
std::string write_gguf(const gguf_context* gguf, const TensorBytes& read, const std::filesystem::path& target,
                       const Proof& proof = {});

/// The key that says so, `ech0.proof`.
void set_proof(gguf_context* gguf, const char* what);

}  // namespace ech0
