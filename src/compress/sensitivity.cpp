#include "compress/sensitivity.h"

#include <algorithm>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/divergence.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

// KL that stands for "this model no longer computes": larger than any real one (log of a vocabulary of 10^6 is 14).
constexpr double broken_kl = 1000;

/// A copy of the hidden states that carries one group's disturbance.
struct Branch {
    size_t group = 0;  // index into the groups measured
    HiddenStates hidden;
};

/// One measurement under way: what all steps of it need.
struct Probe {
    const Source& source;
    const Chunks& chunks;
    const std::vector<TensorGroup>& groups;
    const std::function<std::vector<std::byte>(const Tensor&)>& disturb;
    int n_threads;
    std::shared_ptr<Spill> spill;
    Weights weights;        // undisturbed
    FloatArrays reference;  // logits of the original, [n_tokens, n_vocab] of each chunk
    std::vector<Disturbance> result;

    SegmentInput input(const SegmentRange& range, const HiddenStates& hidden, size_t c) const {
        return input_of(range, chunks, hidden, c);
    }
};

HiddenStates advance(const Probe& probe, Segment& segment, const HiddenStates& hidden) {
    HiddenStates next(probe.spill);
    for (size_t c = 0; c < probe.chunks.size(); c++) {
        const std::span<const float> out = segment.run(probe.input(segment.range(), hidden, c));
        next.put(c, out);
    }
    return next;
}

/// Run the last segment and compare what comes out with the original's logits.
double divergence_at_head(const Probe& probe, Segment& segment, const HiddenStates& hidden) {
    double sum = 0;
    size_t n = 0;
    for (size_t c = 0; c < probe.chunks.size(); c++) {
        const std::span<const float> logits = segment.run(probe.input(segment.range(), hidden, c));
        for (const double kl :
             kl_per_position(probe.reference[c], logits, probe.source.model().n_vocab, probe.n_threads))
            sum += kl, n++;
    }
    return n > 0 ? sum / static_cast<double>(n) : 0;
}

void restore(const Probe& probe, Segment& segment, const Tensor& tensor) {
    std::vector<std::byte> scratch;
    segment.set(tensor.name, probe.weights.bytes(tensor, scratch));
}

/// Is this tensor's disturbance first felt in this segment?
bool starts_in(const Tensor& tensor, const SegmentRange& range) {
    if (range.from_tokens) return true;                    // the segment is the whole model
    if (tensor.name == "token_embd.weight") return false;  // felt before the first segment
    if (!tensor.name.starts_with("blk.")) return range.with_head;
    const int64_t layer = std::stoll(tensor.name.substr(4));
    return layer >= range.first && layer <= range.last;
}

/// A disturbed embedding enters as other hidden states; where it is the output too, the head must be disturbed as well.
void start_embedding_branch(const Probe& probe, std::vector<Branch>& branches) {
    for (size_t g = 0; g < probe.groups.size(); g++) {
        const Tensor& tensor = *probe.groups[g].front();
        if (tensor.name != "token_embd.weight") continue;
        const std::vector<std::byte> bytes = probe.disturb(tensor);
        Branch branch{g, HiddenStates(probe.spill)};
        for (size_t c = 0; c < probe.chunks.size(); c++)
            branch.hidden.put(c, embed(probe.source.model(), plain_type(tensor), bytes, probe.chunks[c]));
        branches.push_back(std::move(branch));
    }
}

void pass_segment(Probe& probe, const SegmentRange& range, HiddenStates& original, std::vector<Branch>& branches) {
    size_t longest = 0;
    for (const auto& chunk : probe.chunks) longest = std::max(longest, chunk.size());
    Segment segment(probe.source.model(), range, probe.weights, {static_cast<int64_t>(longest), probe.n_threads});
    if (range.with_head)
        for (size_t c = 0; c < probe.chunks.size(); c++) {
            const std::span<const float> logits = segment.run(probe.input(range, original, c));
            check_logits(logits, probe.source.model().n_vocab, probe.n_threads);
            probe.reference.put(c, logits);
        }
    for (Branch& branch : branches) {
        check_interrupt();
        const Tensor& tensor = *probe.groups[branch.group].front();
        const bool head_too =
            range.with_head && tensor.name == "token_embd.weight" && probe.source.model().tied_embeddings;
        if (head_too) segment.set(tensor.name, probe.disturb(tensor));
        if (range.with_head)
            probe.result[branch.group].kl_divergence = divergence_at_head(probe, segment, branch.hidden);
        else
            branch.hidden = advance(probe, segment, branch.hidden);
        if (head_too) restore(probe, segment, tensor);
    }
    for (size_t g = 0; g < probe.groups.size(); g++) {
        const TensorGroup& group = probe.groups[g];
        if (!starts_in(*group.front(), range)) continue;
        check_interrupt();
        for (const Tensor* t : group) segment.set(t->name, probe.disturb(*t));
        if (range.with_head)
            probe.result[g].kl_divergence = divergence_at_head(probe, segment, original);
        else
            branches.push_back({g, advance(probe, segment, original)});
        for (const Tensor* t : group) restore(probe, segment, *t);
    }
    if (!range.with_head) original = advance(probe, segment, original);
}

}  // namespace

std::vector<double> kl_per_position(std::span<const float> original, std::span<const float> candidate, int64_t n_vocab,
                                    int n_threads) {
    const std::vector<int32_t> any(original.size() / static_cast<size_t>(n_vocab),
                                   0);  // which token came next is not asked
    std::vector<double> kl;
    try {
        for (const Score& score : compare(original, candidate, any, n_threads)) kl.push_back(score.kl_divergence);
    } catch (const EngineError&) {  // logits that are no numbers: a plan to stay away from, not the end of the search
        kl.assign(any.size(), broken_kl);
    }
    return kl;
}

void check_logits(std::span<const float> logits, int64_t n_vocab, int n_threads) {
    const std::vector<int32_t> any(logits.size() / static_cast<size_t>(n_vocab), 0);
    compare(logits, logits, any, n_threads);
}

std::vector<Disturbance> measure_disturbances(const Source& source, const Chunks& chunks,
                                              const std::vector<const Tensor*>& tensors,
                                              const std::function<std::vector<std::byte>(const Tensor&)>& disturb,
                                              int n_threads, const Progress& progress,
                                              const std::shared_ptr<Spill>& spill) {
    std::vector<TensorGroup> groups;
    for (const Tensor* tensor : tensors) groups.push_back({tensor});
    return measure_disturbances(source, chunks, groups, disturb, n_threads, progress, spill);
}

std::vector<Disturbance> measure_disturbances(const Source& source, const Chunks& chunks,
                                              const std::vector<TensorGroup>& groups,
                                              const std::function<std::vector<std::byte>(const Tensor&)>& disturb,
                                              int n_threads, const Progress& progress,
                                              const std::shared_ptr<Spill>& spill) {
    Probe probe{source,
                chunks,
                groups,
                disturb,
                n_threads > 0 ? n_threads : default_threads(),
                spill,
                source.as_f16(),
                FloatArrays(spill),
                {}};
    for (const TensorGroup& group : groups) probe.result.push_back({group.front()->name, 0});
    const std::vector<SegmentRange> ranges = split_into_segments(source.model());
    HiddenStates original(spill);
    std::vector<Branch> branches;
    if (!ranges.front().from_tokens) {
        original = enter(source.model(), probe.weights, chunks, spill);
        start_embedding_branch(probe, branches);
    }
    for (size_t s = 0; s < ranges.size(); s++) {
        if (progress) progress("sensitivity", static_cast<int64_t>(s), static_cast<int64_t>(ranges.size()));
        pass_segment(probe, ranges[s], original, branches);
    }
    return probe.result;
}

}  // namespace ech0
