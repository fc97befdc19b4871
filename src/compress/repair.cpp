#include "compress/repair.h"

#include <Eigen/Cholesky>

namespace ech0 {

Matrix fit_to_output(const Matrix& w, const InputMoments& m, const RepairOptions& options) {
    const bool moved = m.c.size() > 0 && options.step != 0;
    const bool lost = m.s.size() > 0 && options.stream_step != 0;
    if (!moved && !lost) return w;
    Matrix wanted = Matrix::Zero(w.rows(), w.cols());
    if (moved) wanted.noalias() += options.step * w * (m.c - m.h);
    if (lost) wanted += options.stream_step * m.s;
    Matrix regular = m.h;
    regular.diagonal().array() += options.ridge * m.h.diagonal().mean();
    const Eigen::LLT<Matrix> llt(regular);
    if (llt.info() != Eigen::Success) return w;
    return w + llt.solve(wanted.transpose()).transpose();
}

}  // namespace ech0
