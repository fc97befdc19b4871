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

/// The weights that belong to row r: those of its expert.
const float* weights_of_row(const Tensor& tensor, std::span<const float> weights, int64_t row) {
    const int64_t n_mat = static_cast<int64_t>(weights.size()) / tensor.n_cols();
    const int64_t rows_per_mat = tensor.n_rows() / n_mat;
    return weights.data() + row / rows_per_mat * tensor.n_cols();
}

double weighted_square(const float* a, const float* b, const float* weights, int64_t n) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        const double d = static_cast<double>(a[j]) - (b == nullptr ? 0.0 : static_cast<double>(b[j]));
        sum += static_cast<double>(weights[j]) * d * d;
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

void round_tensor(const Source& source, const Tensor& tensor, ggml_type type, std::span<const float> weights,
                  int n_threads, const std::function<void(std::span<const std::byte>)>& take) {
    const int64_t n_cols = tensor.n_cols(), n_rows = tensor.n_rows();
    const size_t row_bytes = ggml_row_size(type, n_cols);
    const int64_t slab_rows = std::clamp<int64_t>(slab_weights / n_cols, 1, n_rows);
    ggml_quantize_init(type);
    std::vector<std::byte> rounded(static_cast<size_t>(slab_rows) * row_bytes);
    for (int64_t first = 0; first < n_rows; first += slab_rows) {
        const int64_t n = std::min(slab_rows, n_rows - first);
        constexpr int64_t rows_per_task = 16;
        parallel_for((n + rows_per_task - 1) / rows_per_task, n_threads, [&](int64_t task) {
            check_interrupt();
            std::vector<float> row(static_cast<size_t>(n_cols));
            for (int64_t r = task * rows_per_task; r < std::min(n, (task + 1) * rows_per_task); r++) {
                source.rows(tensor, first + r, 1, row.data());
                round_rows(type, row.data(), 1, n_cols, weights_of_row(tensor, weights, first + r),
                           rounded.data() + static_cast<size_t>(r) * row_bytes);
            }
        });
        take({rounded.data(), static_cast<size_t>(n) * row_bytes});
    }
}

double local_error(const Source& source, const Tensor& tensor, ggml_type type, std::span<const float> weights,
                   int64_t n_sample_rows) {
    if (type == static_cast<ggml_type>(tensor.type)) return 0;
    const int64_t n_cols = tensor.n_cols(), n = std::min(n_sample_rows, tensor.n_rows());
    std::vector<float> row(static_cast<size_t>(n_cols)), back(static_cast<size_t>(n_cols));
    std::vector<std::byte> rounded(ggml_row_size(type, n_cols));
    double error = 0, power = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t r = (2 * i + 1) * tensor.n_rows() / (2 * n);  // the middles of n equal parts
        const float* w = weights_of_row(tensor, weights, r);
        source.rows(tensor, r, 1, row.data());
        round_rows(type, row.data(), 1, n_cols, w, rounded.data());
        to_float(type, rounded.data(), back.data(), n_cols);
        error += weighted_square(row.data(), back.data(), w, n_cols);
        power += weighted_square(row.data(), nullptr, w, n_cols);
    }
    return power > 0 ? error / power : 0;
}

}  // namespace ech0
