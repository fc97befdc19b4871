#include "runtime/walk.h"

#include <algorithm>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/ggml_types.h"
#include "runtime/source.h"

namespace ech0 {

HiddenStates enter(const Model& model, const Weights& weights, const Chunks& chunks,
                   const std::shared_ptr<Spill>& spill) {
    const Tensor* embedding = model.find("token_embd.weight");
    if (embedding == nullptr) throw FormatError(model.files.front().string() + ": no tensor token_embd.weight");
    std::vector<std::byte> scratch;
    const std::span<const std::byte> bytes = weights.bytes(*embedding, scratch);
    HiddenStates hidden(spill);
    for (const auto& chunk : chunks) hidden.put(hidden.size(), embed(model, weights.type(*embedding), bytes, chunk));
    if (weights.release) weights.release(*embedding);
    return hidden;
}

SegmentInput input_of(const SegmentRange& range, const Chunks& chunks, const HiddenStates& hidden, size_t c) {
    return range.from_tokens ? SegmentInput{chunks[c], {}} : SegmentInput{{}, hidden[c]};
}

void advance(Segment& segment, const Chunks& chunks, HiddenStates& hidden) {
    for (size_t c = 0; c < chunks.size(); c++) hidden.put(c, segment.run(input_of(segment.range(), chunks, hidden, c)));
}

void walk_model(const Model& model, const Weights& weights, const Chunks& chunks, const Walk& walk) {
    const std::vector<SegmentRange> ranges = split_into_segments(model);
    HiddenStates hidden(walk.spill);
    if (!ranges.front().from_tokens) hidden = enter(model, weights, chunks, walk.spill);
    const auto total = static_cast<int64_t>(ranges.size() * chunks.size());
    int64_t done = 0;
    for (const SegmentRange& range : ranges) {
        Segment segment(model, range, weights, walk.options);
        for (size_t c = 0; c < chunks.size(); c++) {
            check_interrupt();
            const std::span<const float> out = segment.run(input_of(range, chunks, hidden, c), walk.sink);
            if (!range.with_head)
                hidden.put(c, out);
            else if (walk.on_logits)
                walk.on_logits(static_cast<int64_t>(c), out);
            if (walk.progress) walk.progress(walk.stage, ++done, total);
        }
    }
}

}  // namespace ech0
