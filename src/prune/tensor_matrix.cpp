#include "prune/tensor_matrix.h"

namespace ech0 {

Matrix tensor_matrix(const Source& source, const Tensor& tensor) {
    Matrix w(tensor.n_rows(), tensor.n_cols());
    source.rows(tensor, 0, tensor.n_rows(), w.data());
    source.release(tensor);
    return w;
}

Matrix whole_moment(const Moments& moments) {
    if (moments.ranges().size() == 1) return moments.of(0, 0);
    Matrix h = Matrix::Zero(moments.n_cols(), moments.n_cols());
    for (size_t r = 0; r < moments.ranges().size(); r++) {
        const ColumnRange& range = moments.ranges()[r];
        h.block(range.first, range.first, range.n, range.n) = moments.of(0, r);
    }
    return h;
}

}  // namespace ech0
