#pragma once

// How fast a model will talk. Generating a token reads every weight that takes part in it once, and the whole cache of
// what was said before: bytes over bandwidth bounds the speed from above (the roofline; Williams, Waterman, Patterson
// 2009). How near one comes to the bound is measured: here by the engine's own kernels, elsewhere by what others
// published for that machine.

#include <ggml.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ech0/machine.h"
#include "ech0/model.h"
#include "machine/kernels.h"
#include "runtime/cache_types.h"
#include "runtime/footprint.h"

namespace ech0 {

/// What one token costs.
struct TokenWork {
    std::map<ggml_type, int64_t> weight_bytes;  ///< read for one token: of experts only those that are used
    std::map<ggml_type, int64_t> n_weights;     ///< multiplied for one token, the same without head and tail
    int64_t kv_bytes = 0;                       ///< of the cache, read
    double attention_flops = 0;
    int64_t n_nodes = 0;  ///< operations of the graph
    int64_t total_bytes() const;
};

/// What the weights alone cost; no cache yet, and no operations.
/// @param types  of model.tensors, in their order
TokenWork weight_work(const Model& model, std::span<const ggml_type> types);

/// Query heads that share a KV head: 0 where there is no attention.
double heads_per_kv_head(const Model& model);

/// The same with a cache.
/// @param filled  share of the context that is in use
/// @param kv_bits  of an element of the cache, on average over K and V
TokenWork with_cache(TokenWork work, const Footprint& footprint, double filled, double kv_bits, double heads_per_kv);

/// Both.
/// @param n_past  tokens that are already in the context
TokenWork work_of(const Model& model, std::span<const ggml_type> types, const Footprint& footprint,
                  const SessionOptions& session, int64_t n_past);

/// A value with its interval: 90 % of such predictions are meant to hold.
struct Interval {
    double value = 0, low = 0, high = 0;
};

/// What a prediction of speed may be off by until this machine has scores of its own for that file.
constexpr double first_speed_half_width = 0.25;

struct SpeedEstimate {
    Interval tokens_per_s;          ///< generation
    Interval prompt_tokens_per_s;   ///< reading; 0 = not known
    double bound_tokens_per_s = 0;  ///< the roofline itself: no program can be faster on that memory
    Grade grade = Grade::predicted;
    std::string source;
};

/// On this machine. The table has every type of `work`.
/// @param cache  its types
/// @param correction  measured over predicted, so far on this machine; half_width of what that leaves open
SpeedEstimate speed_here(const KernelTable& kernels, const Machine& machine, const TokenWork& work,
                         const CacheTypes& cache, double correction, double half_width);

/// On a machine that is described, by what was published for it, or else for others with its backend.
SpeedEstimate speed_described(const Machine& machine, std::span<const Machine> others, const TokenWork& work);

}  // namespace ech0
