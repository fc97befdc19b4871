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

/// What a pruned file is besides its structure.
struct PrunedForm {
    std::string architecture;    ///< `llama` (all layers alike, see architecture_of) or `deci`
    bool output_biases = false;  ///< every attention output and ffn_down gets a bias, of zeros unless repaired
    std::string recipe;          ///< says in the file's keys how it was made
};

/// `llama` if all layers have the same widths, which every program reads; else `deci`.
std::string architecture_of(const Structure& structure);

/// Write what is left of a model: quantized matrices as F16, others in their own type; Qwen2's queries and keys in the
/// RoPE order of llama and deci (pairs of neighbours, not of halves).
/// @throws UsageError if it cannot be written so (check_prunable), FileError, Interrupted
void write_pruned(const Source& source, const Structure& structure, const PrunedForm& form, const Repaired& repaired,
                  const std::filesystem::path& target);

}  // namespace ech0
