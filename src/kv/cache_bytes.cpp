#include "kv/cache_bytes.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "base/child.h"
#include "base/private_memory.h"
#include "base/text.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "machine/budget.h"
#include "runtime/side_context.h"
#include "verify/speed.h"

namespace ech0 {

int64_t measure_cache_bytes(const Model& model, int64_t n_ctx, const CacheTypes& types, int n_threads) {
    // What loading leaves behind and the first call allocates for good (threads, tables) is not the context's.
    Session weights(model, {.n_ctx = 32, .n_outputs = 1, .n_threads = n_threads, .mapped = !fits_memory(model)});
    const std::vector<int32_t> one = {1};
    weights.decode(one, 0);
    const int64_t before = private_memory_bytes();
    SideContext session(weights, model,
                        {.n_ctx = n_ctx, .n_outputs = 1, .n_threads = n_threads, .type_k = types.k, .type_v = types.v});
    std::vector<int32_t> tokens(static_cast<size_t>(n_ctx));
    for (int64_t i = 0; i < n_ctx; i++)
        tokens[static_cast<size_t>(i)] = static_cast<int32_t>((i * 7919 + 1) % session.n_vocab());
    session.decode(tokens, n_ctx - 1);
    return private_memory_bytes() - before;
}

int64_t cache_bytes_alone(const std::filesystem::path& program, const Model& model, int64_t n_ctx,
                          const CacheTypes& types, int n_threads) {
    const ChildResult child = run_child(
        program, {measure_alone_command, model.files.front().string(), "--cache-bytes", "--ctx", std::to_string(n_ctx),
                  "--type-k", types.k, "--type-v", types.v, "--threads", std::to_string(n_threads)});
    int64_t bytes = 0;
    const char* const end = child.output.data() + child.output.size();
    if (child.exit_status != 0 || std::from_chars(child.output.data(), end, bytes).ec != std::errc())
        throw EngineError(fmt::format("measure the memory of a {} cache: {} {} ended with status {}: {}",
                                      cache_name(types), program.string(), measure_alone_command, child.exit_status,
                                      printable(child.errors, 500)));
    return bytes;
}

}  // namespace ech0
