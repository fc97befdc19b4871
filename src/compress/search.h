#pragma once

// The last word on a plan is the KL divergence of the whole model it gives, on text that the statistics never saw.
// Predictions (gain x local error) rank plans well but not perfectly: errors of different tensors add up differently,
// and saturate. So the predicted optimum is measured, then changed where it may be wrong: all matrices of one kind (or
// one end of the model) are made to count more or less, the plan is solved again and measured on the same tokens, and
// the change stays if the paired difference says it is better by more than its own noise.

#include <functional>
#include <string>
#include <vector>

#include "compress/tensor_costs.h"
#include "ech0/plan.h"
#include "plan/solver.h"

namespace ech0 {

struct SearchProblem {
    const std::vector<TensorCosts>& costs;
    const std::vector<double>& gains;  ///< KL per unit of local error, per tensor
    int64_t budget_bytes = 0;          ///< for tensors, padding included
    int64_t alignment = 32;
    int rounds = 0;
    /// KL per position of the model that these types give (index into TensorCosts::types, per tensor). Empty: the
    /// predicted optimum is taken unmeasured.
    std::function<std::vector<double>(const std::vector<int32_t>& choice)> measure;
    Progress progress;
};

struct SearchResult {
    std::vector<int32_t> choice;
    double predicted_kl = 0;
    double measured_kl = 0;
    std::vector<Trial> tried;
};

/// @throws UsageError if nothing fits the budget; whatever `measure` throws
SearchResult search_plan(const SearchProblem& problem);

/// "blk.7.ffn_up.weight" -> "ffn_up"; "token_embd.weight" -> "token_embd".
std::string kind_of(const std::string& tensor);

}  // namespace ech0
