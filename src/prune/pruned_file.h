#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "prune/structure.h"
#include "runtime/source.h"

namespace ech0 {

/// Bytes of a tensor by its name in the pruned file, in the type it has there; empty: cut from the source.
using Repaired = std::function<std::span<const std::byte>(const std::string& name)>;

/// Write what is left of a model as `deci`: quantized matrices as F16, others in their own type; Qwen2's queries and
/// keys in deci's RoPE order (pairs of neighbours, not of halves).
/// @param recipe  says in the file's keys how it was made
/// @throws UsageError if it cannot be written so (check_prunable), FileError, Interrupted
void write_pruned(const Source& source, const Structure& structure, const Repaired& repaired, const std::string& recipe,
                  const std::filesystem::path& target);

}  // namespace ech0
