#include "prune/mend.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "prune/stream_fit.h"
#include "prune/tensor_matrix.h"
#include "runtime/ggml_types.h"
#include "runtime/look.h"

namespace ech0 {
namespace {

// One chunk in so many is held out when settings are chosen; afterwards it counts like the others.
constexpr size_t held_every = 4;

/// Two models side by side: layers first…last of the original, and the pruned segment that they became.
struct Pair {
    const MendJob& job;
    Segment original, ours;
    SegmentRange original_range, our_range;
    HiddenStates &in_original, &in_ours;
    HiddenStates gone;  // what layers that are gone after these added to the stream; empty: none are
};

/// The lost stream of a chunk just before a matrix adds to it.
std::vector<float> lost(const Pair& pair, bool after_attention, size_t c, const Seen& was, const Seen& is) {
    const std::span<const float> before = after_attention ? std::span<const float>(was.stream) : pair.in_original[c];
    const std::span<const float> now = after_attention ? std::span<const float>(is.stream) : pair.in_ours[c];
    if (before.empty() || before.size() != now.size()) return {};
    std::vector<float> difference(before.size());
    std::transform(before.begin(), before.end(), now.begin(), difference.begin(), std::minus<>());
    return difference;
}

/// The node that holds our stream before a layer's feed-forward part; a layer without attention has no "ffn_inp".
const char* our_stream(const Pair& pair, const Tensor& ours) {
    const std::string layer = ours.name.substr(0, ours.name.find('.', 4));
    return pair.job.pruned.model().find(layer + ".attn_output.weight") != nullptr ? "ffn_inp" : "l_out";
}

/// What layers that are gone after this one would have added, for the last matrix before them.
void add_gone(const Pair& pair, const Tensor& ours, size_t c, std::vector<float>& difference) {
    const bool last = ours.name == fmt::format("blk.{}.ffn_down.weight", pair.our_range.last);
    if (!last || pair.gone.size() == 0) return;
    const std::span<const float> added = pair.gone[c];
    difference.resize(added.size());
    std::transform(added.begin(), added.end(), difference.begin(), difference.begin(), std::plus<>());
}

using Rows = Eigen::Map<const Matrix>;

void add_chunk(Pair& pair, const Tensor& original, const Tensor& ours, bool after_attention, size_t c,
               StreamMoments& fit) {
    const MendJob& job = pair.job;
    const Seen was = look(pair.original, input_of(pair.original_range, job.chunks, pair.in_original, c), original.name,
                          after_attention ? "ffn_inp" : "");
    const Seen is = look(pair.ours, input_of(pair.our_range, job.chunks, pair.in_ours, c), ours.name,
                         after_attention ? our_stream(pair, ours) : "");
    add_products(is.x.data(), is.n_cols, is.x.data(), is.n_cols, is.n_rows, job.n_threads, fit.h);
    add_products(was.x.data(), was.n_cols, is.x.data(), is.n_cols, is.n_rows, job.n_threads, fit.c);
    fit.x += Rows(was.x.data(), was.n_rows, was.n_cols).colwise().sum().transpose();
    fit.y += Rows(is.x.data(), is.n_rows, is.n_cols).colwise().sum().transpose();
    std::vector<float> difference = lost(pair, after_attention, c, was, is);
    add_gone(pair, ours, c, difference);
    if (!difference.empty()) {
        add_products(difference.data(), fit.s.rows(), is.x.data(), is.n_cols, is.n_rows, job.n_threads, fit.s);
        fit.r += Rows(difference.data(), is.n_rows, fit.s.rows()).colwise().sum().transpose();
    }
    fit.n_tokens += static_cast<double>(is.n_rows);
}

/// Put what was found into our segment, and hand it on.
void set_tensor(Pair& pair, const std::string& name, const float* values) {
    const Tensor* const t = pair.job.pruned.model().find(name);
    if (t == nullptr) throw FormatError(fmt::format("the pruned model has no tensor {}", name));
    const auto type = static_cast<ggml_type>(t->type);
    std::vector<std::byte> bytes(ggml_row_size(type, t->n_cols()) * static_cast<size_t>(t->n_rows()));
    from_float(type, values, bytes.data(), t->n_cols() * t->n_rows());
    pair.ours.set(t->name, bytes);
    pair.job.take(*t, bytes);
}

std::string bias_of(const std::string& weight) { return weight.substr(0, weight.rfind('.')) + ".bias"; }

/// W x and what the original adds to it, on the mean.
Vector mean_output(const Source& original, const Tensor& weight, const Matrix& w, const StreamMoments& m) {
    Vector mean = w * m.x;
    if (const Tensor* const bias = original.model().find(bias_of(weight.name)))
        mean += tensor_matrix(original, *bias).row(0).transpose();
    return mean;
}

void mend_matrix(Pair& pair, const Tensor& original, const Tensor& ours) {
    const MendJob& job = pair.job;
    const bool down = ours.name.ends_with("ffn_down.weight");
    StreamMoments most(original.n_cols(), ours.n_cols(), ours.n_rows()), held = most;
    for (size_t c = 0; c < job.chunks.size(); c++) {
        check_interrupt();
        add_chunk(pair, original, ours, down, c, c % held_every == held_every - 1 ? held : most);
    }
    most.finish();
    held.finish();
    const Matrix w = tensor_matrix(job.original, original), kept = tensor_matrix(job.pruned, ours);
    FitSettings settings;
    Matrix a = kept;
    if (job.repair == Repair::full) settings = choose_fit(w, kept, most.centred(), held.centred(), job.n_threads);
    most.join(held);
    if (job.repair == Repair::full) a = fit_to_stream(w, kept, most.centred(), settings, job.n_threads);
    const Vector bias = mean_output(job.original, original, w, most) + settings.stream_step * most.r - a * most.y;
    if (!a.allFinite() || !bias.allFinite())
        throw EngineError(ours.name + ": the repair gave no numbers: activations are not finite");
    if (job.repair == Repair::full) set_tensor(pair, ours.name, a.data());
    set_tensor(pair, bias_of(ours.name), bias.data());
}

/// What the original's layers first…last add to the stream; their inputs are `in`, which is left as it is.
HiddenStates added_by(const MendJob& job, const SegmentRange& before, const SegmentRange& gone,
                      const HiddenStates& in) {
    const Model& model = job.original.model();
    const Weights plain = job.original.as_f16();
    HiddenStates added(job.spill);
    Segment first(model, before, plain, {job.n_ctx, job.n_threads}),
        then(model, gone, plain, {job.n_ctx, job.n_threads});
    for (size_t c = 0; c < job.chunks.size(); c++) {
        const std::span<const float> out = first.run(input_of(before, job.chunks, in, c));
        const std::vector<float> here(out.begin(), out.end());
        const std::span<const float> later = then.run({{}, here});
        std::vector<float> difference(here.size());
        std::transform(later.begin(), later.end(), here.begin(), difference.begin(), std::minus<>());
        added.put(c, difference);
    }
    return added;
}

}  // namespace

void mend(const MendJob& job) {
    const Model &model = job.original.model(), &pruned = job.pruned.model();
    const Weights plain = job.original.as_f16(), cut = job.pruned.as_stored();
    const SegmentOptions options{job.n_ctx, job.n_threads};
    HiddenStates in_original = enter(model, plain, job.chunks, job.spill),
                 in_ours = enter(pruned, cut, job.chunks, job.spill);
    const std::vector<SegmentRange> ranges = split_into_segments(pruned);
    const auto source_layer = [&](int64_t j) { return job.structure.layers[static_cast<size_t>(j)].layer; };
    int64_t next = 0;  // of the original's layers
    for (size_t i = 0; i < ranges.size(); i++) {
        if (job.progress) job.progress("repair", static_cast<int64_t>(i), static_cast<int64_t>(ranges.size()));
        for (; next < source_layer(ranges[i].first); next++) {  // layers that were cut out
            Segment gone(model, {next, next, false, false}, plain, options);
            advance(gone, job.chunks, in_original);
        }
        const int64_t last = source_layer(ranges[i].last);
        const int64_t after = i + 1 < ranges.size() ? source_layer(ranges[i + 1].first) : model.n_layer;
        const SegmentRange was{next, last, false, false}, is{ranges[i].first, ranges[i].last, false, false};
        HiddenStates gone_after(job.spill);
        if (after > last + 1) gone_after = added_by(job, was, {last + 1, after - 1, false, false}, in_original);
        Pair pair{job,     {model, was, plain, options}, {pruned, is, cut, options}, was, is, in_original,
                  in_ours, std::move(gone_after)};
        for (int64_t j = is.first; j <= is.last; j++)
            for (const char* part : {"attn_output.weight", "ffn_down.weight"}) {
                const Tensor* const ours = pruned.find(fmt::format("blk.{}.{}", j, part));
                const Tensor* const original = model.find(fmt::format("blk.{}.{}", source_layer(j), part));
                if (ours != nullptr && original != nullptr) mend_matrix(pair, *original, *ours);
            }
        advance(pair.original, job.chunks, in_original);
        advance(pair.ours, job.chunks, in_ours);
        next = last + 1;
    }
}

}  // namespace ech0
