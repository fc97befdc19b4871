#include "calibrate/gather.h"

#include <unordered_map>

#include "calibrate/moments.h"

namespace ech0 {
namespace {

/// Sums in double: 40,000 squares of float32 lose digits otherwise.
struct Sums {
    std::vector<double> sum_square;  // [n_mat, n_cols]
    std::vector<int64_t> count;      // [n_mat]
};

void add_rows(Sums& sums, int64_t matrix, const float* x, int64_t n_rows, int64_t n_cols) {
    double* out = sums.sum_square.data() + matrix * n_cols;
    for (int64_t row = 0; row < n_rows; row++, x += n_cols)
        for (int64_t j = 0; j < n_cols; j++) out[j] += static_cast<double>(x[j]) * static_cast<double>(x[j]);
    sums.count[static_cast<size_t>(matrix)] += n_rows;
}

Importance importance_of(const Tensor& tensor, const Sums& sums) {
    Importance result{tensor.name, tensor.n_cols(), static_cast<int64_t>(sums.count.size()), {}, {}};
    result.sum_square.assign(sums.sum_square.begin(), sums.sum_square.end());
    result.count.assign(sums.count.begin(), sums.count.end());
    return result;
}

}  // namespace

const Importance* Calibration::find(std::string_view tensor) const {
    for (const Importance& importance : tensors)
        if (importance.tensor == tensor) return &importance;
    return nullptr;
}

Calibration gather_importance(const Model& model, const Weights& weights, const Chunks& chunks, int64_t n_ctx,
                              int n_threads, const Progress& progress) {
    std::unordered_map<std::string, Sums> sums;
    for (const Tensor& tensor : model.tensors) {
        if (tensor.shape.size() < 2 || !tensor.name.ends_with(".weight")) continue;
        const int64_t n_mat = n_mat_of(tensor);
        sums[tensor.name] = {std::vector<double>(static_cast<size_t>(n_mat * tensor.n_cols())),
                             std::vector<int64_t>(static_cast<size_t>(n_mat))};
    }
    ActivationSink sink;
    sink.wants = [&](const std::string& tensor) { return sums.contains(tensor); };
    sink.take = [&](const std::string& tensor, int64_t matrix, const float* x, int64_t n_rows, int64_t n_cols) {
        Sums& mine = sums.at(tensor);
        if (static_cast<size_t>((matrix + 1) * n_cols) <= mine.sum_square.size())
            add_rows(mine, matrix, x, n_rows, n_cols);
    };
    walk_model(model, weights, chunks, {{n_ctx, n_threads}, &sink, {}, "calibrate", progress});

    Calibration calibration;
    calibration.n_ctx = n_ctx;
    calibration.n_tokens = static_cast<int64_t>(chunks.size()) * n_ctx;
    for (const Tensor& tensor : model.tensors) {
        const auto found = sums.find(tensor.name);
        if (found == sums.end()) continue;
        int64_t seen = 0;
        for (const int64_t n : found->second.count) seen += n;
        if (seen > 0) calibration.tensors.push_back(importance_of(tensor, found->second));
    }
    return calibration;
}

}  // namespace ech0
