#pragma once

#include <vector>

#include "calibrate/moments.h"
#include "compress/metric.h"
#include "ech0/model.h"

namespace ech0 {

/// How errors in one tensor's matrices count: a metric per matrix (expert) and per range of columns.
struct TensorMetric {
    std::vector<ColumnRange> ranges;
    std::vector<Metric> metrics;  ///< [n_mat, n_ranges]

    int64_t n_mat() const { return static_cast<int64_t>(metrics.size() / ranges.size()); }
    const Metric& of(int64_t matrix, size_t range) const {
        return metrics[static_cast<size_t>(matrix) * ranges.size() + range];
    }
};

/// From second moments where the store has them; else from the importance's mean squares (no error feedback then);
/// else all columns count the same.
/// @param importance  may be nullptr
TensorMetric tensor_metric(const Tensor& tensor, const MomentStore* moments, const Importance* importance,
                           float shrinkage);

}  // namespace ech0
