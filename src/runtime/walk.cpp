#include "runtime/walk.h"

#include <algorithm>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/ggml_types.h"
#include "runtime/source.h"

namespace ech0 {

std::vector<std::vector<float>> enter(const Model& model, const Weights& weights, const Chunks& chunks) {
    const Tensor* embedding = model.find("token_embd.weight");
    if (embedding == nullptr) throw FormatError(model.files.front().string() + ": no tensor token_embd.weight");
    std::vector<std::byte> scratch;
    const std::span<const std::byte> bytes = weights.bytes(*embedding, scratch);
    std::vector<std::vector<float>> hidden;
    for (const auto& chunk : chunks) hidden.push_back(embed(model, weights.type(*embedding), bytes, chunk));
    return hidden;
}

void walk_model(const Model& model, const Weights& weights, const Chunks& chunks, const Walk& walk) {
    const std::vector<SegmentRange> ranges = split_into_segments(model);
    std::vector<std::vector<float>> hidden;
    if (!ranges.front().from_tokens) hidden = enter(model, weights, chunks);
    const auto total = static_cast<int64_t>(ranges.size() * chunks.size());
    int64_t done = 0;
    for (const SegmentRange& range : ranges) {
        Segment segment(model, range, weights, walk.options);
        for (size_t c = 0; c < chunks.size(); c++) {
            check_interrupt();
            const SegmentInput input = range.from_tokens ? SegmentInput{chunks[c], {}} : SegmentInput{{}, hidden[c]};
            const std::span<const float> out = segment.run(input, walk.sink);
            if (!range.with_head) hidden[c].assign(out.begin(), out.end());
            else if (walk.on_logits) walk.on_logits(static_cast<int64_t>(c), out);
            if (walk.progress) walk.progress(walk.stage, ++done, total);
        }
    }
}

int64_t largest_segment_bytes(const Model& model, const Weights& weights) {
    std::map<std::string, int64_t> per_layer;
    int64_t ends = 0;
    for (const Tensor& tensor : model.tensors) {
        const auto bytes = static_cast<int64_t>(ggml_row_size(weights.type(tensor), tensor.n_cols())) * tensor.n_rows();
        if (tensor.name.starts_with("blk.")) per_layer[tensor.name.substr(0, tensor.name.find('.', 4))] += bytes;
        else ends += bytes;
    }
    int64_t largest = 0;
    for (const auto& [layer, bytes] : per_layer) largest = std::max(largest, bytes);
    return largest + ends;
}

}  // namespace ech0
