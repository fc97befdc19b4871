#include "compress/tensor_metric.h"

#include "compress/rounding.h"

namespace ech0 {

TensorMetric tensor_metric(const Tensor& tensor, const MomentStore* moments, const Importance* importance,
                           float shrinkage) {
    TensorMetric result;
    if (moments != nullptr && moments->has(tensor.name)) {
        const Moments m = moments->get(tensor.name);
        result.ranges = m.ranges();
        for (int64_t matrix = 0; matrix < m.n_mat(); matrix++)
            for (size_t r = 0; r < result.ranges.size(); r++)
                result.metrics.push_back(make_metric(m.of(matrix, r), shrinkage));
        return result;
    }
    const std::vector<float> weights = column_weights(tensor, importance);
    result.ranges = {{0, tensor.n_cols()}};
    for (size_t at = 0; at < weights.size(); at += static_cast<size_t>(tensor.n_cols()))
        result.metrics.push_back(diagonal_metric({weights.data() + at, static_cast<size_t>(tensor.n_cols())}));
    return result;
}

}  // namespace ech0
