#include "compress/codebook.h"

#include <algorithm>
#include <vector>

#include "compress/rounding.h"
#include "runtime/ggml_types.h"

namespace ech0 {

void round_tile_by_blocks(ggml_type type, const Metric& metric, const float* rows, int64_t n_rows, std::byte* out,
                          float* decoded) {
    const int64_t n = metric.n(), block = ggml_blck_size(type);
    const size_t row_bytes = ggml_row_size(type, n), block_bytes = ggml_type_size(type);
    const Eigen::Map<const Matrix> w(rows, n_rows, n);
    Matrix error(n_rows, n), target;
    std::vector<float> back(static_cast<size_t>(block));
    for (int64_t first = 0; first < n; first += block) {
        target = w.middleCols(first, block);
        if (first > 0 && metric.u.size() > 0)
            target.noalias() += error.leftCols(first) * metric.u.block(0, first, first, block);
        for (int64_t r = 0; r < n_rows; r++) {
            std::byte* to = out + static_cast<size_t>(r) * row_bytes + static_cast<size_t>(first / block) * block_bytes;
            round_rows(type, target.row(r).data(), 1, block, metric.d.data() + first, to);
            to_float(type, to, back.data(), block);
            error.row(r).segment(first, block) =
                w.row(r).segment(first, block) - Eigen::Map<const Eigen::RowVectorXf>(back.data(), block);
        }
    }
    if (decoded != nullptr) Eigen::Map<Matrix>(decoded, n_rows, n) = w - error;
}

}  // namespace ech0
