#pragma once

// The last rounding, layer after layer: each matrix is rounded with the inputs that it will really get, those of a
// model whose earlier matrices are rounded already, and fitted to what the original put out (compress/repair.h). Two
// versions of a layer are in memory, the original and ours; both versions' hidden states of all chunks may be spilled.
// Within a layer the matrices go in the order of the graph, those that read one input together.

#include <functional>
#include <span>

#include "calibrate/moments.h"
#include "compress/feedback.h"
#include "compress/repair.h"
#include "runtime/source.h"
#include "runtime/walk.h"

namespace ech0 {

struct SequentialJob {
    const Source& source;
    const Chunks& chunks;
    std::function<ggml_type(const Tensor&)> type;  ///< a tensor whose type is its own stays as it is
    RoundingOptions options;
    int64_t n_ctx = 512;
    int n_threads = 1;
    /// A tensor's rounded bytes if they are known already (an embedding, a run that was stopped); empty if not.
    std::function<std::span<const std::byte>(const Tensor&)> known;
    std::function<void(const Tensor&, std::span<const std::byte>)> take;
    Progress progress;
    /// What went otherwise than asked: a matrix that fell back to less. Optional.
    std::function<void(const std::string& what)> note = {};
    MomentLimits limits = {};
    std::shared_ptr<Spill> spill = nullptr;  ///< where hidden states go that memory does not hold
};

/// Rounded bytes as the half-precision matrix that they mean.
std::vector<std::byte> half_precision(ggml_type type, std::span<const std::byte> bytes, const Tensor& tensor);

/// @throws EngineError, Interrupted, whatever `take` throws
void round_sequentially(const SequentialJob& job);

}  // namespace ech0
