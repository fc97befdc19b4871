#pragma once

// How much does an error in one tensor hurt the whole model? Measured, not guessed: round that tensor alone, run the
// model, take the KL divergence of its next-token distribution to the original's. A pass of the model per tensor would
// be n_layer times too slow and would need the model in memory, so all disturbed copies go through the layers
// together: layer after layer is loaded once, its own tensors start new copies ("branches") of the hidden states, and
// every branch that is under way passes through it. A branch costs the layers after it, on a few hundred tokens.
//
// For errors that are not too large KL grows as their square, so one measurement gives the gain of a tensor,
//     gain = KL(probe) / local_error(probe),
// and gain x local_error(type) predicts any other type.

#include <functional>
#include <string>
#include <vector>

#include "ech0/progress.h"
#include "runtime/source.h"
#include "runtime/walk.h"

namespace ech0 {

struct Disturbance {
    std::string tensor;
    double kl_divergence = 0;  ///< nats per token, caused by this tensor's disturbance alone
};

/// Tensors that are disturbed together, all of one layer.
using TensorGroup = std::vector<const Tensor*>;

/// @param chunks  token sequences to measure on
/// @param spill  where branches go that memory does not hold
/// @param disturb  the disturbed bytes of a tensor, in its type in source.as_f16()
/// @throws EngineError, Interrupted
std::vector<Disturbance> measure_disturbances(const Source& source, const Chunks& chunks,
                                              const std::vector<const Tensor*>& tensors,
                                              const std::function<std::vector<std::byte>(const Tensor&)>& disturb,
                                              int n_threads, const Progress& progress,
                                              const std::shared_ptr<Spill>& spill = nullptr);

/// The same for groups; a result has the name of its group's first tensor.
std::vector<Disturbance> measure_disturbances(const Source& source, const Chunks& chunks,
                                              const std::vector<TensorGroup>& groups,
                                              const std::function<std::vector<std::byte>(const Tensor&)>& disturb,
                                              int n_threads, const Progress& progress,
                                              const std::shared_ptr<Spill>& spill = nullptr);

/// KL(original || candidate) at each position, nats; a candidate whose logits are no numbers counts as very far away.
/// @param original, candidate  logits, row-major [n, n_vocab]
std::vector<double> kl_per_position(std::span<const float> original, std::span<const float> candidate, int64_t n_vocab,
                                    int n_threads);

/// @throws EngineError if logits are NaN or infinite: the original itself is broken, and nothing can be compared with
/// it
void check_logits(std::span<const float> logits, int64_t n_vocab, int n_threads);

}  // namespace ech0
