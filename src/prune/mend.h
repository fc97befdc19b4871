#pragma once

// The repair of a pruned model, layer after layer: each matrix that puts out into the residual stream (attention
// output, ffn_down) is fitted anew to what the original's put out, on the inputs that it really gets from the layers
// before it, which are pruned and mended already. With x the original's inputs, y the pruned model's and r what the
// stream has lost:
//     A = W_K + (a (W C - W_K H) + b S)(H + ridge mean(diag H) I)^-1,   H = mean y y', C = mean x y', S = mean r y'
// the same fit as compress/repair.h, for a W with more columns than A. All of it about the means, which a bias carries:
//     bias = mean(W x + bias of W + r) - A mean(y).
// Where layers are gone altogether, the ffn_down before them also takes over, as well as its inputs allow, what they
// added to the stream (r then has their part), by a free change or by a linear map of what it puts out. Settings are
// chosen on chunks held out (prune/stream_fit.h).

#include <functional>
#include <memory>

#include "base/spill.h"
#include "compress/rounding_options.h"
#include "prune/method.h"
#include "prune/structure.h"
#include "runtime/source.h"
#include "runtime/walk.h"

namespace ech0 {

struct MendJob {
    const Source& original;
    const Source& pruned;        ///< as cut, not mended, with biases of outputs (write_pruned)
    const Structure& structure;  ///< of the pruned model
    const Chunks& chunks;
    int64_t n_ctx = 512;
    int n_threads = 1;
    Repair repair = Repair::full;
    /// A mended matrix or bias in its type in the pruned file.
    std::function<void(const Tensor& of_pruned, std::span<const std::byte>)> take;
    Progress progress;
    std::shared_ptr<Spill> spill = nullptr;
};

/// @throws EngineError, Interrupted, whatever `take` throws
void mend(const MendJob& job);

}  // namespace ech0
