#pragma once

#include <cstdint>
#include <filesystem>

#include "ech0/model.h"
#include "runtime/cache_types.h"

namespace ech0 {

/// What a context really takes: cache, scratch and logits, measured as what this process' own memory (no mapped files)
/// grows by when a context is made beside loaded weights and filled to its last token. For a process that does nothing
/// else; a GPU's memory is not seen.
int64_t measure_cache_bytes(const Model& model, int64_t n_ctx, const CacheTypes& types, int n_threads);

/// The same in a process of its own.
/// @param program  the ech0 program, which has the hidden subcommand `measure-alone MODEL --cache-bytes …`
/// @throws EngineError with the child's last words if it fails; Interrupted
int64_t cache_bytes_alone(const std::filesystem::path& program, const Model& model, int64_t n_ctx,
                          const CacheTypes& types, int n_threads);

}  // namespace ech0
