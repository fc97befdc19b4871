#include "compress/sequential.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <optional>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "calibrate/moments.h"
#include "compress/held_out.h"
#include "compress/rounding.h"
#include "ech0/error.h"
#include "runtime/ggml_types.h"
#include "runtime/look.h"

namespace ech0 {
namespace {

using Group = std::vector<std::string>;  // tensors that read one input

// One chunk in so many is held out when settings are chosen; afterwards it counts like the others.
constexpr size_t held_every = 4;

// Rows that our rounding is compared with the engine's on.
constexpr int64_t compared_rows = 8;

// Rows are fitted and rounded in slabs of about this many weights: 16 MB of float32.
constexpr int64_t slab_weights = int64_t{4} << 20;

bool is_rounded(const SequentialJob& job, const Tensor& tensor) {
    return job.type(tensor) != static_cast<ggml_type>(tensor.type);
}

/// Rounded matrices are run in half precision: twice as fast as in their own types here, and as exact.
ggml_type running_type(const SequentialJob& job, const Tensor& tensor) {
    return is_rounded(job, tensor) ? GGML_TYPE_F16 : plain_type(tensor);
}

Weights running_weights(const SequentialJob& job, const Weights& plain) {
    return {[&job](const Tensor& t) { return running_type(job, t); },
            [&job, plain](const Tensor& t, std::vector<std::byte>& scratch) -> std::span<const std::byte> {
                if (!is_rounded(job, t)) return plain.bytes(t, scratch);
                const std::span<const std::byte> known = job.known(t);
                if (!known.empty())
                    scratch = half_precision(job.type(t), known, t);
                else
                    scratch = half_precision(static_cast<ggml_type>(t.type), job.source.bytes(t), t);
                return scratch;
            },
            [&job](const Tensor& t) { job.source.release(t); }};
}

/// One layer's walk: both versions of it, and what goes in.
struct Layer {
    const SequentialJob& job;
    const SegmentRange& range;
    Segment original, ours;
    HiddenStates& in_original;
    HiddenStates& in_ours;

    SegmentInput input(const HiddenStates& hidden, size_t c) const { return input_of(range, job.chunks, hidden, c); }
};

/// The stream just before this group's matrix adds to it: the layer's input for attention, "ffn_inp" for the
/// feed-forward part. Not where a norm stands between the matrix and the stream.
enum class Stream { none, layer_input, after_attention };

Stream stream_of(const SequentialJob& job, const Group& group) {
    const std::string& name = group.front();
    const size_t dot = name.starts_with("blk.") ? name.find('.', 4) : std::string::npos;
    if (dot == std::string::npos) return Stream::none;
    const std::string layer = name.substr(0, dot), part = name.substr(dot);
    if (job.source.model().find(layer + ".post_attention_norm.weight") != nullptr ||
        job.source.model().find(layer + ".post_ffw_norm.weight") != nullptr)
        return Stream::none;
    if (part == ".attn_output.weight") return Stream::layer_input;
    return part == ".ffn_down.weight" ? Stream::after_attention : Stream::none;
}

/// What is known of one group's inputs: sums over chunks, then means.
struct GroupMoments {
    Moments now;               // of the inputs as they are now
    std::vector<Matrix> c, s;  // per range: original inputs and lost stream, each times the inputs now
    double n_tokens = 0;

    /// What one matrix's range is fitted and rounded by; ranges of a plain weight are asked for once.
    InputMoments take(int64_t matrix, size_t range) {
        return {now.of(matrix, range), c.empty() ? Matrix() : std::move(c[range]),
                s.empty() ? Matrix() : std::move(s[range])};
    }
};

/// Experts' rows belong to one matrix each, and the original may have sent the token elsewhere: H alone.
void add_expert_rows(const SequentialJob& job, const Seen& seen, GroupMoments& m) {
    for (int64_t first = 0, end = 0; first < seen.n_rows; first = end) {
        const int64_t matrix = seen.matrix[static_cast<size_t>(first)];
        while (end < seen.n_rows && seen.matrix[static_cast<size_t>(end)] == matrix) end++;
        m.now.add(matrix, seen.x.data() + first * seen.n_cols, end - first, job.n_threads);
    }
}

void add_moved(const SequentialJob& job, const Seen& was, const Seen& is, std::span<const float> lost,
               GroupMoments& m) {
    const int64_t n = is.n_cols, n_out = job.source.model().n_embd;
    if (m.c.empty())
        for (const ColumnRange& r : m.now.ranges()) {
            m.c.push_back(Matrix::Zero(r.n, r.n));
            if (!lost.empty()) m.s.push_back(Matrix::Zero(n_out, r.n));
        }
    for (size_t i = 0; i < m.now.ranges().size(); i++) {
        const int64_t first = m.now.ranges()[i].first;
        add_products(was.x.data() + first, n, is.x.data() + first, n, is.n_rows, job.n_threads, m.c[i]);
        if (!lost.empty()) add_products(lost.data(), n_out, is.x.data() + first, n, is.n_rows, job.n_threads, m.s[i]);
    }
}

/// What the stream of chunk c has lost before this group's matrix adds to it; empty if that is not known.
std::vector<float> lost_stream(const Layer& layer, Stream stream, size_t c, const Seen& was, const Seen& is) {
    const bool inner = stream == Stream::after_attention;
    if (stream == Stream::none || layer.range.from_tokens || (inner && (was.stream.empty() || is.stream.empty())))
        return {};
    const std::span<const float> before = inner ? std::span<const float>(was.stream) : layer.in_original[c];
    const std::span<const float> now = inner ? std::span<const float>(is.stream) : layer.in_ours[c];
    std::vector<float> lost(before.size());
    std::transform(before.begin(), before.end(), now.begin(), lost.begin(), std::minus<>());
    return lost;
}

/// One chunk's part of the sums.
void add_chunk(Layer& layer, const Group& group, Stream stream, size_t c, GroupMoments& m) {
    const SequentialJob& job = layer.job;
    const std::string node = stream == Stream::after_attention ? "ffn_inp" : "";
    Segment& segment = job.options.sequential ? layer.ours : layer.original;
    const HiddenStates& hidden = job.options.sequential ? layer.in_ours : layer.in_original;
    // Both versions at once, each on half of the threads: they wait for nothing of each other.
    std::future<Seen> original;
    if (job.options.sequential)
        original = std::async(std::launch::async, [&] {
            return look(layer.original, layer.input(layer.in_original, c), group.front(), node);
        });
    const Seen is = look(segment, layer.input(hidden, c), group.front(), node);
    const Seen was = job.options.sequential ? original.get() : Seen{};
    if (!is.matrix.empty()) {
        add_expert_rows(job, is, m);
        return;
    }
    m.now.add(0, is.x.data(), is.n_rows, job.n_threads);
    m.n_tokens += static_cast<double>(is.n_rows);
    if (!job.options.sequential) return;
    add_moved(job, was, is, lost_stream(layer, stream, c, was, is), m);
}

void finish(GroupMoments& m) {
    m.now.finish();
    for (Matrix& c : m.c) c /= static_cast<float>(m.n_tokens);
    for (Matrix& s : m.s) s /= static_cast<float>(m.n_tokens);
}

/// The group's moments in two parts: most chunks, and those held out (none if nothing is chosen by them).
struct Gathered {
    GroupMoments fitted, held;
};

/// Both parts as one.
GroupMoments joined(Gathered parts) {
    GroupMoments m = std::move(parts.fitted);
    const GroupMoments& other = parts.held;
    if (other.n_tokens == 0) return m;
    const double total = m.n_tokens + other.n_tokens;
    const auto mine = static_cast<float>(m.n_tokens / total), theirs = static_cast<float>(other.n_tokens / total);
    m.now.join(other.now);
    for (size_t i = 0; i < m.c.size(); i++) m.c[i] = mine * m.c[i] + theirs * other.c[i];
    for (size_t i = 0; i < m.s.size(); i++) m.s[i] = mine * m.s[i] + theirs * other.s[i];
    m.n_tokens = total;
    return m;
}

Gathered gather(Layer& layer, const Group& group) {
    const SequentialJob& job = layer.job;
    const Tensor& tensor = *job.source.model().find(group.front());
    const int64_t n_mat = n_mat_of(tensor), n = tensor.n_cols();
    const Stream stream = job.options.sequential && n_mat == 1 ? stream_of(job, group) : Stream::none;
    const bool hold = job.options.held_out && job.options.sequential && job.options.feedback && n_mat == 1;
    Gathered all{{Moments(n, n_mat, job.limits), {}, {}, 0}, {}};
    if (hold) all.held.now = Moments(n, n_mat, job.limits);
    for (size_t c = 0; c < job.chunks.size(); c++) {
        check_interrupt();
        add_chunk(layer, group, stream, c, hold && c % held_every == held_every - 1 ? all.held : all.fitted);
    }
    finish(all.fitted);
    finish(all.held);
    return all;
}

Matrix some_rows(const Matrix& all, int64_t n) {
    Matrix rows(std::min(n, all.rows()), all.cols());
    for (int64_t k = 0; k < rows.rows(); k++) rows.row(k) = all.row((2 * k + 1) * all.rows() / (2 * rows.rows()));
    return rows;
}

Matrix some_rows_of(const SequentialJob& job, const Tensor& tensor, int64_t n) {
    Matrix rows(std::min(n, tensor.n_rows()), tensor.n_cols());
    for (int64_t k = 0; k < rows.rows(); k++)
        job.source.rows(tensor, (2 * k + 1) * tensor.n_rows() / (2 * rows.rows()), 1, rows.row(k).data());
    return rows;
}

/// Moments of one range for a sample of rows.
InputMoments sample_of(const GroupMoments& m, size_t range) {
    return {m.now.of(0, range), m.c.empty() ? Matrix() : m.c[range],
            m.s.empty() ? Matrix() : some_rows(m.s[range], tile_rows)};
}

/// The settings that do best on the chunks held out, for one range of a group's columns.
RoundingOptions settings_for(const SequentialJob& job, const Tensor& tensor, const Gathered& moments, size_t range) {
    if (moments.held.n_tokens == 0) return job.options;
    const ColumnRange& columns = moments.fitted.now.ranges()[range];
    const Matrix sample = some_rows_of(job, tensor, tile_rows).middleCols(columns.first, columns.n);
    return choose_settings(job.type(tensor), sample, sample_of(moments.fitted, range), sample_of(moments.held, range),
                           job.options);
}

void from_floats(ggml_type type, const Matrix& aim, int64_t first, int64_t count, std::byte* out, size_t row_bytes) {
    for (int64_t r = 0; r < count; r++)
        from_float(type, aim.row(first + r).data(), out + static_cast<size_t>(r) * row_bytes, aim.cols());
}

/// The engine's own rounding of the same type, with the same importance: is it nearer on a few rows?
bool engine_does_better(ggml_type type, const Metric& metric, const Matrix& aim, const FeedbackOptions& options) {
    if (metric.h.size() == 0 || !ggml_is_quantized(type)) return false;
    const Matrix sample = some_rows(aim, compared_rows);
    const size_t row_bytes = ggml_row_size(type, aim.cols());
    std::vector<std::byte> ours(row_bytes * static_cast<size_t>(sample.rows())), theirs(ours.size());
    round_tile(type, metric, {sample.data(), sample.cols(), sample.rows(), ours.data(), row_bytes}, options);
    round_rows(type, sample.data(), sample.rows(), sample.cols(), metric.d.data(), theirs.data());
    Matrix q(sample.rows(), sample.cols());
    to_float(type, ours.data(), q.data(), q.size());
    const double our_error = quadratic_error(metric.h, sample.data(), q.data(), sample.rows());
    to_float(type, theirs.data(), q.data(), q.size());
    return quadratic_error(metric.h, sample.data(), q.data(), sample.rows()) < our_error;
}

/// What rounds one range of one matrix's columns, made once for all tensors of a group.
struct RangeRounding {
    RoundingOptions options;
    ColumnRange range;
    const Metric& metric;
    const OutputFit& fit;
};

/// Rows first_row … of one range, fitted: what rounding aims at.
Matrix aim_of(const SequentialJob& job, const RangeRounding& by, const Tensor& tensor, int64_t first_row,
              int64_t n_rows, int64_t row_of_matrix) {
    Matrix rows(n_rows, tensor.n_cols());
    job.source.rows(tensor, first_row, n_rows, rows.data());
    const Matrix w = rows.middleCols(by.range.first, by.range.n);
    return by.options.sequential ? by.fit(w, row_of_matrix) : w;
}

/// A slab of rows, in tiles on all threads.
void round_slab(const SequentialJob& job, const RangeRounding& by, ggml_type type, const Matrix& aim, bool feedback,
                std::byte* out, size_t row_bytes) {
    parallel_for((aim.rows() + tile_rows - 1) / tile_rows, job.n_threads, [&](int64_t tile) {
        check_interrupt();
        const int64_t first = tile * tile_rows, count = std::min(tile_rows, aim.rows() - first);
        std::byte* to = out + static_cast<size_t>(first) * row_bytes;
        if (!ggml_is_quantized(type))
            from_floats(type, aim, first, count, to, row_bytes);
        else if (feedback)
            round_tile(type, by.metric, {aim.row(first).data(), by.range.n, count, to, row_bytes}, by.options.descent);
        else
            for (int64_t r = 0; r < count; r++)
                round_rows(type, aim.row(first + r).data(), 1, by.range.n, by.metric.d.data(),
                           to + static_cast<size_t>(r) * row_bytes);
    });
}

/// One range of a matrix that begins at row `matrix_row` of its tensor.
void round_range(const SequentialJob& job, const RangeRounding& by, const Tensor& tensor, int64_t matrix_row,
                 int64_t n_rows, std::span<std::byte> rounded) {
    const ggml_type type = job.type(tensor);
    const size_t row_bytes = ggml_row_size(type, tensor.n_cols()), offset = ggml_row_size(type, by.range.first);
    const int64_t slab = std::max(tile_rows, slab_weights / tensor.n_cols() / tile_rows * tile_rows);
    bool engine_was_better = false;
    for (int64_t first = 0; first < n_rows; first += slab) {
        const Matrix aim = aim_of(job, by, tensor, matrix_row + first, std::min(slab, n_rows - first), first);
        const bool engine = by.options.feedback && engine_does_better(type, by.metric, aim, by.options.descent);
        const bool feedback = by.options.feedback && !engine;
        engine_was_better |= engine;
        round_slab(job, by, type, aim, feedback,
                   rounded.data() + static_cast<size_t>(matrix_row + first) * row_bytes + offset, row_bytes);
    }
    if (job.note && engine_was_better) job.note(tensor.name + ": the engine's own rounding does better");
    if (job.note && by.options.feedback && by.metric.fell_back)
        job.note(tensor.name + ": second moments not positive definite, columns weighed by their importance alone");
}

Metric metric_of(const RoundingOptions& options, const Matrix& h) {
    const Eigen::VectorXf diagonal = h.diagonal();
    return options.feedback ? make_metric(h, options.shrinkage)
                            : diagonal_metric({diagonal.data(), static_cast<size_t>(diagonal.size())});
}

void round_group(Layer& layer, const Group& group) {
    const SequentialJob& job = layer.job;
    std::vector<const Tensor*> open;
    for (const std::string& name : group) {
        const Tensor* tensor = job.source.model().find(name);
        if (tensor != nullptr && is_rounded(job, *tensor) && job.known(*tensor).empty()) open.push_back(tensor);
    }
    if (open.empty()) return;
    Gathered gathered = gather(layer, group);
    std::vector<std::vector<std::byte>> rounded;
    for (const Tensor* tensor : open) {
        ggml_quantize_init(job.type(*tensor));
        rounded.emplace_back(ggml_row_size(job.type(*tensor), tensor->n_cols()) *
                             static_cast<size_t>(tensor->n_rows()));
    }
    const std::vector<ColumnRange> ranges = gathered.fitted.now.ranges();
    std::vector<RoundingOptions> settings;  // per range; the group's first tensor speaks for all
    for (size_t r = 0; r < ranges.size(); r++) settings.push_back(settings_for(job, *open.front(), gathered, r));
    GroupMoments moments = joined(std::move(gathered));
    const int64_t n_mat = n_mat_of(*open.front());
    for (int64_t matrix = 0; matrix < n_mat; matrix++)
        for (size_t r = 0; r < ranges.size(); r++) {
            const InputMoments here = moments.take(matrix, r);
            const Metric metric = metric_of(settings[r], here.h);
            const OutputFit fit(here, settings[r].repair);
            for (size_t t = 0; t < open.size(); t++) {
                const int64_t rows = open[t]->n_rows() / n_mat;
                round_range(job, {settings[r], ranges[r], metric, fit}, *open[t], matrix * rows, rows, rounded[t]);
            }
        }
    for (size_t t = 0; t < open.size(); t++) {
        if (!ggml_validate_row_data(job.type(*open[t]), rounded[t].data(), rounded[t].size()))
            throw EngineError(
                fmt::format("tensor {}: rounding to {} gave invalid blocks: the source has NaN or infinite weights",
                            open[t]->name, type_label(job.type(*open[t]))));
        if (job.options.sequential && open[t]->name != output_matrix(job.source.model()).name)
            layer.ours.set(open[t]->name, half_precision(job.type(*open[t]), rounded[t], *open[t]));
        job.take(*open[t], rounded[t]);
        job.source.release(*open[t]);
    }
}

}  // namespace

std::vector<std::byte> half_precision(ggml_type type, std::span<const std::byte> bytes, const Tensor& tensor) {
    const int64_t n = tensor.n_cols();
    std::vector<std::byte> half(static_cast<size_t>(tensor.n_elements) * sizeof(ggml_fp16_t));
    std::vector<float> row(static_cast<size_t>(n));
    for (int64_t r = 0; r < tensor.n_rows(); r++) {
        to_float(type, bytes.data() + static_cast<size_t>(r) * ggml_row_size(type, n), row.data(), n);
        from_float(GGML_TYPE_F16, row.data(), half.data() + static_cast<size_t>(r * n) * sizeof(ggml_fp16_t), n);
    }
    return half;
}

void round_sequentially(const SequentialJob& job) {
    const Model& model = job.source.model();
    const Weights plain = job.source.as_f16(), running = running_weights(job, plain);
    const std::vector<SegmentRange> ranges = split_into_segments(model);
    HiddenStates in_original(job.spill), in_ours(job.spill);
    const bool both = job.options.sequential;
    if (!ranges.front().from_tokens) {
        in_original = enter(model, plain, job.chunks, job.spill);
        if (both) in_ours = enter(model, running, job.chunks, job.spill);
    }
    const Weights original = without_output_matrix(model, plain), ours = without_output_matrix(model, running);
    const SegmentOptions options{job.n_ctx, both ? std::max(1, job.n_threads / 2) : job.n_threads};
    for (size_t i = 0; i < ranges.size(); i++) {
        const SegmentRange& range = ranges[i];
        if (job.progress) job.progress("round", static_cast<int64_t>(i), static_cast<int64_t>(ranges.size()));
        Layer layer{job, range, {model, range, original, options}, {model, range, ours, options}, in_original, in_ours};
        for (const Group& group : layer.original.products_by_input(layer.input(in_original, 0)))
            round_group(layer, group);
        if (range.with_head) break;
        std::future<void> advanced =
            std::async(std::launch::async, [&] { advance(layer.original, job.chunks, in_original); });
        if (both) advance(layer.ours, job.chunks, in_ours);
        advanced.get();
    }
}

}  // namespace ech0
