#pragma once

#include <ggml-cpp.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
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

/// Write the file, tensor by tensor; it takes its name when it is whole.
/// @throws FileError, Interrupted; nothing is left under the target's name then
void write_gguf(const gguf_context* gguf, const TensorBytes& read, const std::filesystem::path& target);

}  // namespace ech0
