#pragma once

// What it costs to take inputs away from a linear map, if the inputs that stay make up for them as well as they can:
// with H the second moment of the inputs, removing the set S from W and choosing the rest anew by least squares leaves
// an output error of tr(W_S (P_SS)^-1 W_S'), P = H^-1, and the step is exact for one set after another with
//     W <- W - W_S (P_SS)^-1 P_S,    P <- P - P_:S (P_SS)^-1 P_S:.
// Source: Hassibi and Stork 1993, Optimal Brain Surgeon, for rows that share one H as in GPTQ (Frantar et al. 2022).

#include <cstdint>
#include <vector>

#include "base/matrix.h"
#include "prune/cut_costs.h"

namespace ech0 {

/// Units in the order in which they hurt least, a few at a time, until one step's worth is left.
/// @param w  [n_out, n]; @param h  [n, n] mean of x x'; @param unit_columns  neighbouring columns that go together
/// @param ridge  what is added to h's diagonal, as a share of its mean
std::vector<RemovalStep> removal_steps(const Matrix& w, const Matrix& h, int64_t unit_columns, int64_t units_per_step,
                                       float ridge);

/// W with the columns of these units zero and the others chosen anew.
Matrix without_units(const Matrix& w, const Matrix& h, int64_t unit_columns, const std::vector<int32_t>& units,
                     float ridge);

}  // namespace ech0
