#include "compress/rounding.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "ech0/error.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

// A column's weight is at least this share of the mean: the engine's scale search divides by sums of weights.
constexpr float weight_floor = 1e-3F;

// Rows are read and rounded in slabs of about this many weights: 64 MB of float32.
constexpr int64_t slab_weights = int64_t{16} << 20;

// Of a tensor of experts these many speak for all when errors are sampled.
constexpr int64_t most_sampled_matrices = 4;

/// Rows of one matrix, dense, rounded range by range into their places.
void round_some(ggml_type type, const TensorMetric& metric, int64_t matrix, const Matrix& rows,
                const FeedbackOptions& options, std::byte* out) {
    const int64_t n_cols = rows.cols();
    const size_t row_bytes = ggml_row_size(type, n_cols);
    if (!ggml_is_quantized(type)) {
        from_float(type, rows.data(), out, rows.size());
        return;
    }
    for (size_t r = 0; r < metric.ranges.size(); r++) {
        const ColumnRange& range = metric.ranges[r];
        for (int64_t first = 0; first < rows.rows(); first += tile_rows)
            round_tile(type, metric.of(matrix, r),
                       {rows.row(first).data() + range.first, n_cols, std::min(tile_rows, rows.rows() - first),
                        out + static_cast<size_t>(first) * row_bytes + ggml_row_size(type, range.first), row_bytes},
                       options);
    }
    if (!ggml_validate_row_data(type, out, row_bytes * static_cast<size_t>(rows.rows())))
        throw EngineError(fmt::format("rounding to {} gave invalid blocks: the source has NaN or infinite weights",
                                      type_label(type)));
}

/// e H e' summed over rows, by ranges; with a diagonal metric its diagonal.
double error_of(const TensorMetric& metric, int64_t matrix, const Matrix& error) {
    double sum = 0;
    for (size_t r = 0; r < metric.ranges.size(); r++) {
        const Metric& m = metric.of(matrix, r);
        const Matrix part = error.middleCols(metric.ranges[r].first, metric.ranges[r].n);
        if (m.h.size() > 0) {
            sum += quadratic_error(m.h, part);
        } else {
            const Eigen::Map<const Eigen::RowVectorXf> d(m.d.data(), m.n());
            sum += (part.array().square().rowwise() * d.array()).matrix().cast<double>().sum();
        }
    }
    return sum;
}

}  // namespace

std::vector<float> column_weights(const Tensor& tensor, const Importance* importance) {
    const int64_t n_cols = tensor.n_cols();
    if (importance == nullptr) return std::vector<float>(static_cast<size_t>(n_cols), 1.0F);
    const auto n_values = static_cast<int64_t>(importance->sum_square.size());
    if (n_values % n_cols != 0 || tensor.n_rows() % (n_values / n_cols) != 0)
        throw UsageError(
            fmt::format("tensor {}: the importance matrix has {} columns, the tensor {}: it is of another model",
                        tensor.name, importance->n_cols, n_cols));
    const int64_t n_mat = n_values / n_cols;
    std::vector<float> weights(static_cast<size_t>(n_values));
    for (int64_t m = 0; m < n_mat; m++) {
        float* w = weights.data() + m * n_cols;
        const float count =
            importance
                ->count[static_cast<size_t>(std::min<int64_t>(m, static_cast<int64_t>(importance->count.size()) - 1))];
        double sum = 0;
        for (int64_t j = 0; j < n_cols; j++) {
            w[j] = count > 0 ? importance->sum_square[static_cast<size_t>(m * n_cols + j)] / count : 1.0F;
            sum += static_cast<double>(w[j]);
        }
        const auto floor = static_cast<float>(weight_floor * sum / static_cast<double>(n_cols));
        for (int64_t j = 0; j < n_cols; j++) w[j] = sum > 0 ? std::max(w[j], floor) : 1.0F;
    }
    return weights;
}

void round_rows(ggml_type type, const float* rows, int64_t n_rows, int64_t n_cols, const float* weights, void* out) {
    if (!ggml_is_quantized(type)) {
        from_float(type, rows, out, n_rows * n_cols);
        return;
    }
    const size_t n_bytes = ggml_quantize_chunk(type, rows, out, 0, n_rows, n_cols, weights);
    if (!ggml_validate_row_data(type, out, n_bytes))
        throw EngineError(fmt::format("rounding to {} gave invalid blocks: the source has NaN or infinite weights",
                                      type_label(type)));
}

void round_tensor(const Source& source, const Tensor& tensor, ggml_type type, const TensorMetric& metric,
                  const FeedbackOptions& options, int n_threads,
                  const std::function<void(std::span<const std::byte>)>& take) {
    const int64_t n_cols = tensor.n_cols(), rows_per_matrix = tensor.n_rows() / metric.n_mat();
    const size_t row_bytes = ggml_row_size(type, n_cols);
    const int64_t slab_rows = std::clamp<int64_t>(slab_weights / n_cols / tile_rows * tile_rows, 1, rows_per_matrix);
    ggml_quantize_init(type);
    std::vector<std::byte> rounded(static_cast<size_t>(slab_rows) * row_bytes);
    for (int64_t matrix = 0; matrix < metric.n_mat(); matrix++)
        for (int64_t at = 0; at < rows_per_matrix; at += slab_rows) {
            const int64_t n = std::min(slab_rows, rows_per_matrix - at), first = matrix * rows_per_matrix + at;
            parallel_for((n + tile_rows - 1) / tile_rows, n_threads, [&](int64_t tile) {
                check_interrupt();
                const int64_t row = tile * tile_rows;
                Matrix rows(std::min(tile_rows, n - row), n_cols);
                source.rows(tensor, first + row, rows.rows(), rows.data());
                round_some(type, metric, matrix, rows, options, rounded.data() + static_cast<size_t>(row) * row_bytes);
            });
            take({rounded.data(), static_cast<size_t>(n) * row_bytes});
        }
}

double local_error(const Source& source, const Tensor& tensor, ggml_type type, const TensorMetric& metric,
                   const FeedbackOptions& options) {
    if (type == static_cast<ggml_type>(tensor.type)) return 0;
    const int64_t n_cols = tensor.n_cols(), rows_per_matrix = tensor.n_rows() / metric.n_mat();
    const int64_t n_mat = std::min(metric.n_mat(), most_sampled_matrices);
    // Scalar formats round a tile of rows as fast as one; the engine's codebook search takes its time per row.
    const int64_t n_rows = std::min(rows_per_matrix, (has_feedback(type) ? tile_rows : tile_rows / 2) / n_mat);
    double error = 0, power = 0;
    for (int64_t i = 0; i < n_mat; i++) {
        const int64_t matrix = (2 * i + 1) * metric.n_mat() / (2 * n_mat);
        Matrix rows(n_rows, n_cols), back(n_rows, n_cols);
        for (int64_t k = 0; k < n_rows; k++)  // the middles of n equal parts
            source.rows(tensor, matrix * rows_per_matrix + (2 * k + 1) * rows_per_matrix / (2 * n_rows), 1,
                        rows.row(k).data());
        std::vector<std::byte> rounded(ggml_row_size(type, n_cols) * static_cast<size_t>(n_rows));
        round_some(type, metric, matrix, rows, options, rounded.data());
        to_float(type, rounded.data(), back.data(), back.size());
        error += error_of(metric, matrix, rows - back);
        power += error_of(metric, matrix, rows);
    }
    return power > 0 ? error / power : 0;
}

}  // namespace ech0
