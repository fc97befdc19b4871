#include "compress/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/process.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "machine/budget.h"
#include "plan/candidates.h"
#include "runtime/ggml_types.h"
#include "runtime/source.h"

namespace ech0 {
namespace {

constexpr int64_t float_bytes = sizeof(float);

// What the allocator does not give back between stages, and small things: a share of the rest.
constexpr double slack = 1.08;

// Rows under way in the rounding: float32 slabs of 16 MB (compress/sequential.cpp), at most so many at once (the rows,
// their range, the fit's target, its solution, the aim), or one of 64 MB (compress/rounding.cpp).
constexpr int64_t slabs_bytes = 5 * (int64_t{16} << 20);

// Widths that are tried, the widest first.
constexpr int64_t widths[] = {8192, 6144, 4096, 3072, 2048, 1536, 1024, 512, 256};

int64_t plain_bytes(const Tensor& t) {
    return static_cast<int64_t>(ggml_row_size(plain_type(t), t.n_cols())) * t.n_rows();
}

int64_t loading_bytes(const Tensor& t) {
    return t.size_bytes + (ggml_is_quantized(static_cast<ggml_type>(t.type)) ? plain_bytes(t) : 0);
}

/// One segment of the model in memory: its weights in the types they run in, and what the engine computes with.
struct SegmentMemory {
    int64_t weights = 0, head = 0, buffers = 0;  // bytes
    int64_t loading = 0;                         // one tensor's pages of the file, and it in half precision
};

/// Does this tensor run in a segment of one layer, or in the one that has the head too?
bool runs_in(const Model& model, const Tensor& t, int64_t layer, bool with_head) {
    if (t.name.starts_with("blk.")) return std::stoll(t.name.substr(4)) == layer;
    if (t.name == "token_embd.weight") return with_head && model.tied_embeddings;
    return with_head;
}

SegmentMemory segment_memory(const MemoryNeeds& n, const SegmentRange& range) {
    SegmentMemory m;
    int64_t widest = 0, n_head = 0;
    for (const int64_t of_layer : n.model.n_head) n_head = std::max(n_head, of_layer);
    for (const Tensor& t : n.model.tensors) {
        bool runs = range.from_tokens;
        for (int64_t layer = range.first; layer <= range.last && !runs; layer++)
            runs = runs_in(n.model, t, layer, range.with_head);
        if (!runs) continue;
        m.weights += plain_bytes(t);
        if (!t.name.starts_with("blk.")) m.head += plain_bytes(t);
        m.loading = std::max(m.loading, loading_bytes(t));
        if (t.name.starts_with("blk.")) widest = std::max({widest, t.n_cols(), t.n_rows() / n_mat_of(t)});
    }
    // A layer's graph holds a few of its widest activations, and scores of every head.
    m.buffers = n.n_ctx * (4 * widest + 4 * n.model.n_embd + n_head * n.n_ctx) * float_bytes;
    if (range.with_head) m.buffers += 2 * n.n_ctx * n.model.n_vocab * float_bytes;
    return m;
}

int64_t widest_range(const Tensor& t, const MomentLimits& limits) {
    int64_t widest = 0;
    for (const ColumnRange& r : column_ranges(t.n_cols(), limits.widest)) widest = std::max(widest, r.n);
    return widest;
}

/// H read, and a metric of two matrices for each part of it.
int64_t metric_bytes(const Tensor& t, const MomentLimits& limits) {
    const int64_t n = widest_range(t, limits);
    return 3 * moment_bytes(t, limits) + n * n * float_bytes;
}

/// One matrix in the last rounding: the moments of its input and what is made of them; its bytes as they are in the
/// file and rounded (twice, for up and gate); and in a layer the half-precision matrix that they mean.
int64_t rounding_bytes(const Model& model, const Tensor& t, const MomentLimits& limits) {
    const int64_t n = widest_range(t, limits), moments = moment_bytes(t, limits);
    const int64_t stream = n_mat_of(t) == 1 && (t.name.ends_with("_output.weight") || t.name.ends_with("_down.weight"))
                               ? model.n_embd * t.n_cols() * float_bytes
                               : 0;
    const int64_t both_parts = n_mat_of(t) == 1 ? 2 * (2 * moments + stream) : moments;
    const int64_t weights =
        t.name.starts_with("blk.") ? 2 * t.size_bytes + 2 * plain_bytes(t) : t.size_bytes + plain_bytes(t) / 2;
    return both_parts + 9 * n * n * float_bytes + weights;
}

/// All stages but what they may spill.
int64_t stages_bytes(const MemoryNeeds& needs, const MomentLimits& limits, int metric_threads) {
    SegmentMemory worst;
    int64_t round = 0;
    for (const SegmentRange& range : split_into_segments(needs.model)) {
        const SegmentMemory m = segment_memory(needs, range);
        worst = {std::max(worst.weights, m.weights), 0, std::max(worst.buffers, m.buffers),
                 std::max(worst.loading, m.loading)};
        round = std::max(round, 2 * (m.weights - m.head + m.buffers));  // the head is not needed then
    }
    int64_t metric = 0, rounding = 0, one_moment = 0, probe = 0;
    for (const Tensor& t : needs.model.tensors) {
        if (!is_compressible(t)) continue;
        metric = std::max(metric, metric_bytes(t, limits));
        probe = std::max(probe, metric_bytes(t, limits) + t.size_bytes + plain_bytes(t));
        one_moment = std::max(one_moment, moment_bytes(t, limits));
        rounding = std::max(rounding, rounding_bytes(needs.model, t, limits));
    }
    const int64_t walk = worst.weights + worst.buffers + worst.loading;
    // Distributions of one chunk, when the last norm is fitted.
    const int64_t distributions = needs.n_ctx * needs.model.n_vocab * float_bytes;
    const int64_t polish = std::max(walk, 2 * distributions) + 2 * distributions;
    const int64_t gather = walk + std::max(one_moment, limits.together_bytes);
    const int64_t costs = metric_threads * metric;
    const int64_t gains = worst.weights + worst.buffers + probe + slabs_bytes;
    return std::max({gather, costs, gains, round + rounding + slabs_bytes, polish});
}

/// Hidden states and logits, if all were kept.
int64_t spillable_bytes(const MemoryNeeds& n) {
    const int64_t row = n.model.n_embd * float_bytes, logits = n.model.n_vocab * float_bytes;
    int64_t n_matrices = 0;
    for (const Tensor& t : n.model.tensors) n_matrices += is_compressible(t) ? 1 : 0;
    return n.judged_tokens * logits +
           std::max({2 * n.calibration_tokens * row, n.probe_tokens * (n_matrices * row + logits),
                     n.polish_tokens * (row + logits)});
}

MemoryPlan plan_with(const MemoryNeeds& needs, int64_t widest, int64_t limit_bytes) {
    MemoryPlan plan;
    plan.limits.widest = widest;
    plan.limits.together_bytes = std::min(plan.limits.together_bytes, limit_bytes / 4);
    plan.limits.expert_bytes = std::min(plan.limits.expert_bytes, limit_bytes / 8);
    const auto peak = [&](int threads) {
        return peak_memory_bytes() +
               static_cast<int64_t>(slack * static_cast<double>(stages_bytes(needs, plan.limits, threads)));
    };
    plan.metric_threads = needs.n_threads;
    while (plan.metric_threads > 1 && peak(plan.metric_threads) > limit_bytes) plan.metric_threads--;
    plan.peak_bytes = peak(plan.metric_threads);
    plan.kept_bytes = std::clamp<int64_t>(limit_bytes - plan.peak_bytes, 0, spillable_bytes(needs));
    plan.peak_bytes += plan.kept_bytes;
    return plan;
}

}  // namespace

MemoryPlan plan_memory(const MemoryNeeds& needs, int64_t limit_bytes, int64_t widest_before) {
    const bool given = limit_bytes > 0;
    if (!given) limit_bytes = ram_budget(probe_host()).bytes;
    if (widest_before > 0)
        if (const MemoryPlan plan = plan_with(needs, widest_before, limit_bytes); plan.peak_bytes <= limit_bytes)
            return plan;
    MemoryPlan plan;
    for (const int64_t widest : widths) {
        plan = plan_with(needs, widest, limit_bytes);
        if (plan.peak_bytes <= limit_bytes) return plan;
    }
    throw UsageError(
        fmt::format("compressing {} takes at least {} of memory (two copies of its largest layer, and "
                    "what is measured of it); {} is {}",
                    needs.model.files.front().string(), format_memory(plan.peak_bytes),
                    given ? "--memory" : "what this machine can spare now", format_memory(limit_bytes)));
}

}  // namespace ech0
