#pragma once

// The last norm's weights, chosen anew for a rounded model. Its logits are z = W (f . x): x what enters the output
// matrix W, f one factor per channel, which output_norm.weight takes in. So the mean over positions of
//
//   KL(p || softmax(z)) = sum_v p_v log p_v - p . z + log sum_v exp(z_v)
//
// is convex in f, with gradient sum_t x_t . W'(q_t - p_t), and its least can really be found: L-BFGS (Nocedal 1980)
// from f = 1, scaled by the diagonal of the Gauss-Newton matrix, sum_t x_ti^2 Var_q(W_vi). It makes up at the very end
// for what rounding did before: logits that have become too bold or too timid, channels that carry more noise than
// sense.

#include <functional>
#include <vector>

#include "base/spill.h"
#include "runtime/walk.h"

namespace ech0 {

/// A text as the output matrix sees it.
struct HeadText {
    int64_t n_embd = 0, n_vocab = 0;
    bool is_product = true;  ///< the logits are W x: nothing scales or caps them afterwards
    FloatArrays inputs;      ///< what the rounded model's output matrix reads, [n_tokens, n_embd] of each chunk
    FloatArrays log_p;       ///< log-probabilities of the original, [n_vocab, n_tokens] of each chunk: vocabulary first
    /// Rows first … first + n - 1 of the rounded model's output matrix as float32, [n, n_embd]; from any thread.
    std::function<void(int64_t first, int64_t n, float* out)> rows;
};

/// Run both versions over the chunks. @throws EngineError, FileError, Interrupted
HeadText read_head(const Model& model, const Weights& original, const Weights& rounded, const Chunks& chunks,
                   const Walk& walk);

struct OutputNormFit {
    std::vector<float> factors;          ///< per channel; all 1 if nothing was better
    double kl_before = 0, kl_after = 0;  ///< on the quarter of the chunks held out (all, if there is one), nats
};

/// The factors that lower the divergence most on chunks held out from the fit: each fourth, from the last.
/// @param text  at least one chunk; the same bits for any number of threads
OutputNormFit fit_output_norm(const HeadText& text, int n_threads, const Progress& progress = {});

}  // namespace ech0
