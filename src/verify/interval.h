#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ech0/evidence.h"

namespace ech0 {

// How sure is a mean over tokens? Neighbouring tokens are alike (a hard paragraph is hard for many tokens), so the
// textbook error sigma / sqrt(n) is too small. The remedy is batch means: cut the sequence into m long blocks, take
// the mean of each, and treat those as the independent values:
//
//   mean +- t(0.975, m - 1) * s / sqrt(m),   s = standard deviation of the m block means
//
// Source: Schmeiser, "Batch size effects in the analysis of simulation output", Operations Research 30 (1982); Student
// 1908 for t. A block is a chunk, since every chunk is read with an empty memory. Fewer than `enough_blocks` chunks are
// cut into equal pieces until there are that many: a wider t costs more than the little dependence between pieces.
// Example: 40 chunks of 255 scored tokens: 40 block means, t = 2.023.

constexpr int64_t enough_blocks = 10;

/// Mean of per-token values with its 95 % interval by batch means.
/// @param values  one per scored token, chunk after chunk, all chunks of equal length
/// @throws UsageError if the chunks don't divide the values, or there are fewer than two blocks of 8 values
Estimate mean_with_interval(std::span<const float> values, int64_t n_chunks);

/// The same for the differences a - b of two candidates on the same tokens. Narrower than the two intervals suggest,
/// since what makes a token hard makes it hard for both.
/// @throws UsageError also if the lengths differ
Estimate paired_difference(std::span<const float> a, std::span<const float> b, int64_t n_chunks);

/// Mean with interval (never below 0: these are divergences), median and 99 % quantile.
Distribution distribution(std::span<const float> values, int64_t n_chunks);

/// Quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996, as llama-perplexity's).
/// @param share  0 = smallest, 0.5 = median, 1 = largest
double quantile(std::span<const float> values, double share);

/// Quantiles at 0 %, 1 %, … 100 %.
std::vector<double> percentiles(std::span<const float> values);

/// How values change along a chunk: means over `n_parts` equal parts of its positions (fewer if it has fewer), over all
/// chunks. @throws UsageError if the chunks don't divide the values
std::vector<double> means_by_position(std::span<const float> values, int64_t n_chunks, int64_t n_parts);

/// Share of successes with Wilson's interval (1927), which stays inside [0, 1] and has a width at 0 and 1 too:
///   (k + z^2/2 +- z sqrt(k (n-k) / n + z^2/4)) / (n + z^2),   z = 1.96
/// @param n_trials, n_successes  may be fractional: an effective number of trials, below
Estimate wilson_interval(double n_successes, double n_trials);

/// Share of tokens where something is true (1 against 0), with Wilson's interval on the effective number of tokens:
/// n divided by the design effect, which is how many times larger the variance of the block means is than that of
/// independent tokens would be (Kish 1965; used with Wilson's interval as in Franco et al. 2019).
Estimate share_with_interval(std::span<const float> zero_or_one, int64_t n_chunks);

/// Two-sided 95 % point of Student's t: P(|T| > t) = 0.05. 12.706 for 1 degree of freedom, 1.960 for infinitely many.
double student_t95(int64_t degrees_of_freedom);

}  // namespace ech0
