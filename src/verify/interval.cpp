#include "verify/interval.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr double z95 = 1.959963984540054;  // standard normal: P(|Z| > z) = 0.05

double mean_of(std::span<const float> values) {
    double sum = 0;
    for (const float value : values) sum += value;
    return sum / static_cast<double>(values.size());
}

/// How many equal blocks: the chunks, or each chunk in as many pieces as it takes to have enough. A piece keeps at
/// least 8 tokens.
int64_t count_blocks(int64_t n_values, int64_t n_chunks) {
    const int64_t wanted = (enough_blocks + n_chunks - 1) / n_chunks;
    const int64_t possible = std::max<int64_t>(1, n_values / n_chunks / 8);
    return n_chunks * std::min(wanted, possible);
}

/// Means of the blocks. Pieces of a chunk differ in length by one token at most.
std::vector<double> block_means(std::span<const float> values, int64_t n_chunks) {
    const auto n_values = static_cast<int64_t>(values.size());
    if (n_chunks < 1 || n_values < 1 || n_values % n_chunks != 0) {
        throw UsageError(
            fmt::format("interval: {} values in {} chunks; wanted the same number in each", n_values, n_chunks));
    }
    const int64_t n_blocks = count_blocks(n_values, n_chunks);
    std::vector<double> means;
    for (int64_t b = 0; b < n_blocks; ++b) {
        const int64_t begin = b * n_values / n_blocks;
        const int64_t end = (b + 1) * n_values / n_blocks;
        means.push_back(mean_of(values.subspan(begin, end - begin)));
    }
    return means;
}

double variance(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    const double mean = sum / static_cast<double>(values.size());
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    return squares / static_cast<double>(values.size() - 1);
}

/// P(|T| > t) for whole degrees of freedom, in closed form: Abramowitz and Stegun 26.7.3 and 26.7.4.
double student_two_sided(double t, int64_t degrees_of_freedom) {
    const double theta = std::atan(t / std::sqrt(static_cast<double>(degrees_of_freedom)));
    const double cos2 = std::cos(theta) * std::cos(theta);
    const bool odd = degrees_of_freedom % 2 == 1;
    double term = odd ? std::cos(theta) : 1.0;
    double sum = degrees_of_freedom == 1 ? 0.0 : term;
    for (int64_t k = odd ? 3 : 2; k + 1 < degrees_of_freedom; k += 2) {
        term *= cos2 * static_cast<double>(k - 1) / static_cast<double>(k);
        sum += term;
    }
    const double inside = odd ? (theta + std::sin(theta) * sum) * 2 / std::numbers::pi : std::sin(theta) * sum;
    return 1 - inside;
}

std::vector<float> sorted(std::span<const float> values) {
    std::vector<float> result(values.begin(), values.end());
    std::sort(result.begin(), result.end());
    return result;
}

double quantile_of_sorted(const std::vector<float>& values, double share) {
    const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, values.size() - 1);
    const double part = place - static_cast<double>(below);
    return (1 - part) * values[below] + part * values[above];
}

}  // namespace

double student_t95(int64_t degrees_of_freedom) {
    if (degrees_of_freedom < 1) throw UsageError("interval: Student's t needs at least 1 degree of freedom");
    double low = z95, high = 13;  // t falls from 12.706 at 1 degree of freedom to z
    for (int step = 0; step < 60; ++step) {
        const double middle = (low + high) / 2;
        (student_two_sided(middle, degrees_of_freedom) > 0.05 ? low : high) = middle;
    }
    return high;
}

Estimate mean_with_interval(std::span<const float> values, int64_t n_chunks) {
    const std::vector<double> means = block_means(values, n_chunks);
    const double mean = mean_of(values);
    if (means.size() < 2) {
        throw UsageError(fmt::format("interval: {} values are too few for one; wanted at least 16", values.size()));
    }
    const auto n_blocks = static_cast<int64_t>(means.size());
    const double half = student_t95(n_blocks - 1) * std::sqrt(variance(means) / static_cast<double>(n_blocks));
    return {mean, mean - half, mean + half};
}

Estimate paired_difference(std::span<const float> a, std::span<const float> b, int64_t n_chunks) {
    if (a.size() != b.size()) {
        throw UsageError(fmt::format("interval: {} and {} values can't be paired", a.size(), b.size()));
    }
    std::vector<float> differences(a.size());
    std::transform(a.begin(), a.end(), b.begin(), differences.begin(), std::minus<>());
    return mean_with_interval(differences, n_chunks);
}

Distribution distribution(std::span<const float> values, int64_t n_chunks) {
    const Estimate mean = mean_with_interval(values, n_chunks);
    return {mean.mean, std::max(0.0, mean.low), mean.high, quantile(values, 0.5), quantile(values, 0.99)};
}

double quantile(std::span<const float> values, double share) {
    if (values.empty()) throw UsageError("interval: no values have no quantile");
    return quantile_of_sorted(sorted(values), share);
}

std::vector<double> percentiles(std::span<const float> values) {
    if (values.empty()) throw UsageError("interval: no values have no quantile");
    const std::vector<float> in_order = sorted(values);
    std::vector<double> result;
    for (int percent = 0; percent <= 100; percent++) result.push_back(quantile_of_sorted(in_order, percent / 100.0));
    return result;
}

std::vector<double> means_by_position(std::span<const float> values, int64_t n_chunks, int64_t n_parts) {
    const auto n = static_cast<int64_t>(values.size());
    if (n_chunks < 1 || n % n_chunks != 0)
        throw UsageError(fmt::format("interval: {} values are not {} equal chunks", n, n_chunks));
    const int64_t per_chunk = n / n_chunks;
    std::vector<double> sums(static_cast<size_t>(std::min(n_parts, per_chunk))), counts(sums.size());
    for (int64_t i = 0; i < n; i++) {
        const auto part = static_cast<size_t>(i % per_chunk * static_cast<int64_t>(sums.size()) / per_chunk);
        sums[part] += values[static_cast<size_t>(i)];
        counts[part]++;
    }
    for (size_t part = 0; part < sums.size(); part++) sums[part] /= counts[part];
    return sums;
}

Estimate wilson_interval(double n_successes, double n_trials) {
    if (n_trials <= 0) return {0, 0, 1};
    const double z2 = z95 * z95;
    const double center = n_successes + z2 / 2;
    const double half = z95 * std::sqrt(n_successes * (n_trials - n_successes) / n_trials + z2 / 4);
    return {n_successes / n_trials, std::max(0.0, (center - half) / (n_trials + z2)),
            std::min(1.0, (center + half) / (n_trials + z2))};
}

Estimate share_with_interval(std::span<const float> zero_or_one, int64_t n_chunks) {
    const std::vector<double> means = block_means(zero_or_one, n_chunks);
    const double share = mean_of(zero_or_one);
    const auto n = static_cast<double>(zero_or_one.size());
    double design_effect = 1;
    if (means.size() >= 2 && share > 0 && share < 1) {
        const double independent = share * (1 - share) * static_cast<double>(means.size()) / n;
        design_effect = std::max(1.0, variance(means) / independent);
    }
    return wilson_interval(share * n / design_effect, n / design_effect);
}

}  // namespace ech0
