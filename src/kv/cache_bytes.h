#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "ech0/model.h"
#include "runtime/cache_types.h"
#include "runtime/footprint.h"

namespace ech0 {

/// What a context takes of memory beside the weights.
struct ContextBytes {
    int64_t kv_bytes = 0;       ///< the cache
    int64_t compute_bytes = 0;  ///< scratch of one batch and the logits
    int64_t books_bytes = 0;    ///< the engine's graphs, its list of cells

    int64_t total_bytes() const { return kv_bytes + compute_bytes + books_bytes; }
};

/// Before anything of it is allocated: the engine's plans, and what the processor needs beside its buffers.
/// In a process that has settled (base/private_memory.h).
/// @param on_cpu  a GPU's own memory holds the buffers only
/// @throws EngineError if the engine makes no such context
ContextBytes predict_context_bytes(const FootprintProbe& probe, const Model& model, int64_t n_ctx,
                                   const CacheTypes& types, int n_threads, bool on_cpu);

/// What it really takes: what this process' own memory (no mapped files) grows by when a context is made beside loaded
/// weights, which clears the cache, and then when it is filled to its last token. Of the first, `books_bytes` are what
/// a context without buffers takes. For a process that has settled and does nothing else; a GPU's memory is not seen.
ContextBytes measure_context_bytes(const Model& model, int64_t n_ctx, const CacheTypes& types, int n_threads);

/// The same in a process of its own.
/// @param program  the ech0 program, which has the hidden subcommand `measure-alone MODEL --cache-bytes …`
/// @throws EngineError with the child's last words if it fails; Interrupted
ContextBytes context_bytes_alone(const std::filesystem::path& program, const Model& model, int64_t n_ctx,
                                 const CacheTypes& types, int n_threads);

/// As the child prints them, and read back. @throws FormatError
std::string context_bytes_text(const ContextBytes& bytes);
ContextBytes read_context_bytes(const std::string& text);

}  // namespace ech0
