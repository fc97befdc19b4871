#pragma once

// Which size for every tensor, so that the sum of losses is least and the sum of bytes fits exactly: the
// multiple-choice knapsack problem. With a price per byte (Lagrange multiplier) each tensor decides alone; the right
// price is found by bisection, and what is left of the budget is spent by single and paired exchanges, the best gain
// first. Against the full search this lost less than the last exchange is worth on all our models
// (tests/plan/solver_test.cpp). Source: Sinha and Zoltners 1979, The multiple-choice knapsack problem.

#include <cstdint>
#include <span>
#include <vector>

namespace ech0 {

/// One way to store one tensor.
struct Option {
    int64_t bytes = 0;
    double loss = 0;
};

/// The option chosen for each tensor (index into options[i]), with the least sum of losses found for at most
/// `budget_bytes`. Deterministic.
/// @param options  [n_tensors], each with at least one option
/// @throws UsageError if even the smallest options need more than the budget (naming the bytes needed)
std::vector<int32_t> solve(std::span<const std::vector<Option>> options, int64_t budget_bytes);

}  // namespace ech0
