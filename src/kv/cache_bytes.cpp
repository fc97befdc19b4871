#include "kv/cache_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "base/child.h"
#include "base/private_memory.h"
#include "base/text.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "machine/budget.h"
#include "runtime/cpu_work.h"
#include "runtime/engine.h"
#include "verify/speed.h"

namespace ech0 {
namespace {

// A cell that holds a token is in two ordered sets of the engine (llama-kv-cells.h: used, seq_pos). A node of each is
// 40 bytes, for which glibc takes 48.
constexpr int64_t bytes_per_used_cell = 96;

SessionOptions options_of(int64_t n_ctx, const CacheTypes& types, int n_threads) {
    return {.n_ctx = n_ctx, .n_outputs = 1, .n_threads = n_threads, .type_k = types.k, .type_v = types.v};
}

/// Any tokens: what is allocated does not depend on what is said.
std::vector<int32_t> some_tokens(int64_t n, int64_t n_vocab) {
    std::vector<int32_t> tokens(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; i++) tokens[static_cast<size_t>(i)] = static_cast<int32_t>((i * 7919 + 1) % n_vocab);
    return tokens;
}

}  // namespace

ContextBytes predict_context_bytes(const FootprintProbe& probe, const Model& model, int64_t n_ctx,
                                   const CacheTypes& types, int n_threads, bool on_cpu) {
    const SessionOptions options = options_of(n_ctx, types, n_threads);
    const Footprint footprint = probe.of(options);
    ContextBytes bytes;
    bytes.kv_bytes = footprint.kv_bytes;
    bytes.compute_bytes = footprint.compute_bytes + footprint.output_bytes;
    if (!on_cpu) return bytes;
    const int64_t n_batch = std::min(options.n_batch, n_ctx);
    bytes.compute_bytes += cpu_work_bytes(model, n_batch, n_threads > 0 ? n_threads : default_threads());
    // Of the scratch, the place for embeddings instead of tokens is reserved and never touched (inp_embd).
    bytes.compute_bytes -= model.n_embd * n_batch * static_cast<int64_t>(sizeof(float));
    bytes.compute_bytes += model.n_vocab * static_cast<int64_t>(sizeof(float));  // logits, once more for who asked
    bytes.books_bytes = probe.books_bytes(options) + bytes_per_used_cell * n_ctx;
    return bytes;
}

ContextBytes measure_context_bytes(const Model& model, int64_t n_ctx, const CacheTypes& types, int n_threads) {
    const SessionOptions options = options_of(n_ctx, types, n_threads);
    // What loading leaves behind and the first call allocates for good (threads, tables) is not the context's.
    Session weights(model, {.n_ctx = 32, .n_outputs = 1, .n_threads = n_threads, .mapped = !fits_memory(model)});
    weights.decode(some_tokens(1, weights.n_vocab()), 0);
    const FootprintProbe probe(model);
    probe.of(options);
    ContextBytes bytes;
    bytes.books_bytes = probe.books_bytes(options);
    const std::vector<int32_t> tokens = some_tokens(n_ctx, weights.n_vocab());
    const int64_t before = private_memory_bytes();
    Session context(weights, options);
    const int64_t made = private_memory_bytes();
    context.decode(tokens, n_ctx - 1);
    bytes.kv_bytes = made - before - bytes.books_bytes;
    bytes.compute_bytes = private_memory_bytes() - made;
    return bytes;
}

ContextBytes context_bytes_alone(const std::filesystem::path& program, const Model& model, int64_t n_ctx,
                                 const CacheTypes& types, int n_threads) {
    const ChildResult child = run_child(
        program, {measure_alone_command, model.files.front().string(), "--cache-bytes", "--ctx", std::to_string(n_ctx),
                  "--type-k", types.k, "--type-v", types.v, "--threads", std::to_string(n_threads)});
    if (child.exit_status != 0)
        throw EngineError(fmt::format("measure the memory of a {} cache: {} {} ended with status {}: {}",
                                      cache_name(types), program.string(), measure_alone_command, child.exit_status,
                                      printable(child.errors, 500)));
    return read_context_bytes(child.output);
}

std::string context_bytes_text(const ContextBytes& bytes) {
    return fmt::format("{} {} {}\n", bytes.kv_bytes, bytes.compute_bytes, bytes.books_bytes);
}

ContextBytes read_context_bytes(const std::string& text) {
    std::istringstream words(text);
    ContextBytes bytes;
    if (!(words >> bytes.kv_bytes >> bytes.compute_bytes >> bytes.books_bytes))
        throw FormatError(fmt::format("bytes of a context: '{}': wanted three numbers", printable(text, 80)));
    return bytes;
}

}  // namespace ech0
