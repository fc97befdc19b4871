#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/spill.h"
#include "ech0/model.h"
#include "ech0/progress.h"
#include "runtime/segment.h"

namespace ech0 {

/// Token sequences that are run independently of each other, each from its own beginning.
using Chunks = std::vector<std::vector<int32_t>>;

/// Hidden states of each chunk, [n_tokens, n_embd].
using HiddenStates = FloatArrays;

struct Walk {
    SegmentOptions options;
    const ActivationSink* sink = nullptr;                                         ///< sees inputs of every product
    std::function<void(int64_t chunk, std::span<const float> logits)> on_logits;  ///< [n_tokens, n_vocab]
    std::string stage;                                                            ///< for progress
    Progress progress;
    std::shared_ptr<Spill> spill = nullptr;  ///< for hidden states
};

/// Run chunks through one version of the model. One segment is in memory at a time, never the model.
/// @throws EngineError; Interrupted
void walk_model(const Model& model, const Weights& weights, const Chunks& chunks, const Walk& walk);

/// What enters a segment for chunk c: its tokens, or the hidden states that the segment before gave.
SegmentInput input_of(const SegmentRange& range, const Chunks& chunks, const HiddenStates& hidden, size_t c);

/// Run all chunks through a segment: its outputs take the place of what entered it.
void advance(Segment& segment, const Chunks& chunks, HiddenStates& hidden);

/// What enters the first segment: the chunk's tokens, or their embeddings where layers are run one by one.
HiddenStates enter(const Model& model, const Weights& weights, const Chunks& chunks,
                   const std::shared_ptr<Spill>& spill = nullptr);

}  // namespace ech0
