#include "prune/mend.h"

#include <fmt/format.h>
#include <Eigen/Cholesky>

#include <algorithm>
#include <limits>

#include "base/interrupt.h"
#include "base/matrix.h"
#include "compress/held_out.h"
#include "ech0/error.h"
#include "runtime/ggml_types.h"
#include "runtime/look.h"

namespace ech0 {
namespace {

// One chunk in so many is held out when settings are chosen; afterwards it counts like the others.
constexpr size_t held_every = 4;

/// Sums over tokens, then means.
struct Fit : InputMoments {  // h [n_kept, n_kept], c [n, n_kept], s [n_out, n_kept]
    double n_tokens = 0;

    Fit(int64_t n, int64_t n_kept, int64_t n_out)
        : InputMoments{Matrix::Zero(n_kept, n_kept), Matrix::Zero(n, n_kept), Matrix::Zero(n_out, n_kept)} {}

    void finish() {
        const auto share = static_cast<float>(1 / std::max(1.0, n_tokens));
        mirror(h);
        h *= share, c *= share, s *= share;
    }
    void join(const Fit& other) {
        const double total = n_tokens + other.n_tokens;
        const auto mine = static_cast<float>(n_tokens / total), theirs = static_cast<float>(other.n_tokens / total);
        h = mine * h + theirs * other.h;
        c = mine * c + theirs * other.c;
        s = mine * s + theirs * other.s;
        n_tokens = total;
    }
};

struct Settings {
    float step = 1, stream_step = 1, ridge = 0.05F;
};

Matrix fitted(const Matrix& w, const Matrix& kept, const Fit& m, const Settings& by) {
    Matrix regular = m.h;
    regular.diagonal().array() += std::max(by.ridge * m.h.diagonal().mean(), 1e-20F);
    const Eigen::LLT<Matrix> llt(regular);
    if (llt.info() != Eigen::Success) return kept;
    const Matrix wanted = by.step * (w * m.c - kept * m.h) + by.stream_step * m.s;
    return kept + llt.solve(wanted.transpose()).transpose();
}

Settings choose(const Matrix& w, const Matrix& kept, const Fit& most, const Fit& held) {
    Settings best;
    if (held.n_tokens == 0) return best;
    double least = std::numeric_limits<double>::infinity();
    const auto try_one = [&](const Settings& by) {
        const double error = output_error(w, fitted(w, kept, most, by), held);
        if (error < least) least = error, best = by;
    };
    for (const float ridge : {0.01F, 0.05F, 0.2F})
        for (const float stream : {0.0F, 0.5F, 1.0F}) try_one({1, stream, ridge});
    for (const float step : {0.5F, 0.75F}) try_one({step, best.stream_step, best.ridge});
    return best;
}

Matrix matrix_of(const Source& source, const Tensor& t) {
    Matrix w(t.n_rows(), t.n_cols());
    source.rows(t, 0, t.n_rows(), w.data());
    source.release(t);
    return w;
}

/// Two models side by side: layers first…last of the original, and the pruned segment that they became.
struct Pair {
    const MendJob& job;
    Segment original, ours;
    SegmentRange original_range, our_range;
    HiddenStates &in_original, &in_ours;
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

void add_chunk(Pair& pair, const Tensor& original, const Tensor& ours, bool after_attention, size_t c, Fit& fit) {
    const MendJob& job = pair.job;
    const Seen was = look(pair.original, input_of(pair.original_range, job.chunks, pair.in_original, c), original.name,
                          after_attention ? "ffn_inp" : "");
    const Seen is = look(pair.ours, input_of(pair.our_range, job.chunks, pair.in_ours, c), ours.name,
                         after_attention ? our_stream(pair, ours) : "");
    add_products(is.x.data(), is.n_cols, is.x.data(), is.n_cols, is.n_rows, job.n_threads, fit.h);
    add_products(was.x.data(), was.n_cols, is.x.data(), is.n_cols, is.n_rows, job.n_threads, fit.c);
    const std::vector<float> difference = lost(pair, after_attention, c, was, is);
    if (!difference.empty())
        add_products(difference.data(), fit.s.rows(), is.x.data(), is.n_cols, is.n_rows, job.n_threads, fit.s);
    fit.n_tokens += static_cast<double>(is.n_rows);
}

void mend_matrix(Pair& pair, const Tensor& original, const Tensor& ours) {
    const MendJob& job = pair.job;
    const bool down = ours.name.ends_with("ffn_down.weight");
    Fit most(original.n_cols(), ours.n_cols(), ours.n_rows()), held = most;
    for (size_t c = 0; c < job.chunks.size(); c++) {
        check_interrupt();
        add_chunk(pair, original, ours, down, c, c % held_every == held_every - 1 ? held : most);
    }
    most.finish();
    held.finish();
    const Matrix w = matrix_of(job.original, original), kept = matrix_of(job.pruned, ours);
    const Settings settings = choose(w, kept, most, held);
    most.join(held);
    const Matrix a = fitted(w, kept, most, settings);
    if (!a.allFinite()) throw EngineError(ours.name + ": the repair gave no numbers: activations are not finite");
    const auto type = static_cast<ggml_type>(ours.type);
    std::vector<std::byte> bytes(ggml_row_size(type, ours.n_cols()) * static_cast<size_t>(ours.n_rows()));
    from_float(type, a.data(), bytes.data(), a.size());
    pair.ours.set(ours.name, bytes);
    job.take(ours, bytes);
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
        const SegmentRange was{next, last, false, false}, is{ranges[i].first, ranges[i].last, false, false};
        Pair pair{job, {model, was, plain, options}, {pruned, is, cut, options}, was, is, in_original, in_ours};
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
