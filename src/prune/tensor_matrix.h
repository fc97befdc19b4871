#pragma once

#include "base/matrix.h"
#include "calibrate/moments.h"
#include "runtime/source.h"

namespace ech0 {

/// A whole tensor, [n_rows, n_cols]; of a vector, one row.
Matrix tensor_matrix(const Source& source, const Tensor& tensor);

/// H of a whole input: its ranges beside each other, nothing between them.
Matrix whole_moment(const Moments& moments);

}  // namespace ech0
