#include "compress/repair.h"

#include <Eigen/Cholesky>

namespace ech0 {

struct OutputFit::Factor {
    Eigen::LLT<Matrix> llt;
};

OutputFit::OutputFit(const InputMoments& m, const RepairOptions& options) : moments_(m), options_(options) {
    const bool moved = m.c.size() > 0 && options.step != 0;
    const bool lost = m.s.size() > 0 && options.stream_step != 0;
    if (!moved && !lost) return;
    Matrix regular = m.h;
    regular.diagonal().array() += options.ridge * m.h.diagonal().mean();
    regular_ = std::make_unique<Factor>(Factor{Eigen::LLT<Matrix>(regular)});
    if (regular_->llt.info() != Eigen::Success)
        regular_.reset();
    else if (moved)
        moved_ = options.step * (m.c - m.h);
}

OutputFit::~OutputFit() = default;

Matrix OutputFit::operator()(const Matrix& w, int64_t first_row) const {
    if (!regular_) return w;
    Matrix wanted = Matrix::Zero(w.rows(), w.cols());
    if (moved_.size() > 0) wanted.noalias() += w * moved_;
    if (moments_.s.size() > 0 && options_.stream_step != 0)
        wanted += options_.stream_step * moments_.s.middleRows(first_row, w.rows());
    return w + regular_->llt.solve(wanted.transpose()).transpose();
}

Matrix fit_to_output(const Matrix& w, const InputMoments& moments, const RepairOptions& options) {
    return OutputFit(moments, options)(w, 0);
}

}  // namespace ech0
