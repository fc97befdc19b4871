#include "compress/entry_search.h"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <random>

#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

constexpr auto rows = static_cast<size_t>(tile_rows);

Metric random_metric(int64_t n, bool with_feedback, std::mt19937& random) {
    std::uniform_real_distribution<float> uniform(-0.5F, 0.5F);
    Metric metric;
    for (int64_t j = 0; j < n; j++) metric.d.push_back(1 + uniform(random));
    if (!with_feedback) return metric;
    metric.u = Matrix::NullaryExpr(n, n, [&](int64_t i, int64_t j) { return i < j ? uniform(random) : 0.0F; });
    return metric;
}

/// (x - s q) M (x - s q)' by the sum over columns in compress/metric.h.
double naive_cost(const CodebookFormat& f, const Metric& metric, int64_t first, const float* x, float step, int entry,
                  int signs) {
    std::array<double, 8> e{};
    double sum = 0;
    for (int j = 0; j < f.width; j++) {
        const auto q = static_cast<double>(f.entries[static_cast<size_t>(entry * f.width + j)]);
        e[static_cast<size_t>(j)] = static_cast<double>(x[static_cast<size_t>(j) * rows]) -
                                    static_cast<double>(step) * ((signs >> j & 1) != 0 ? -q : q);
        double term = e[static_cast<size_t>(j)];
        for (int i = 0; i < j && metric.u.size() > 0; i++)
            term += e[static_cast<size_t>(i)] * static_cast<double>(metric.u(first + i, first + j));
        sum += static_cast<double>(metric.d[static_cast<size_t>(first + j)]) * term * term;
    }
    return sum;
}

}  // namespace

TEST_CASE("the entry found is the nearest of the codebook in the full metric, for the signs found") {
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    for (const ggml_type type : {GGML_TYPE_IQ1_S, GGML_TYPE_IQ2_XS, GGML_TYPE_IQ2_S, GGML_TYPE_IQ3_XXS})
        for (const bool with_feedback : {true, false}) {
            CAPTURE(type_label(type));
            CAPTURE(with_feedback);
            const CodebookFormat& f = *codebook_format(type);
            const Metric metric = random_metric(16, with_feedback, random);
            const float typical = f.signs == EntrySigns::in_entry ? 1.0F : 15.0F;
            std::vector<float> x(static_cast<size_t>(f.width) * rows), step(rows, 0.7F);
            for (float& v : x) v = normal(random) * typical;
            EntrySearch search(f);
            search.aim_at(metric, 4);
            Nearest found;
            search.find(x.data(), step.data(), f.signs == EntrySigns::even ? Parity::odd : Parity::any, found);
            for (size_t r = 0; r < rows; r++) {
                double least = INFINITY;
                for (int e = 0; e < f.n_entries(); e++)
                    least = std::min(least, naive_cost(f, metric, 4, x.data() + r, step[r], e, found.signs[r]));
                const double mine = naive_cost(f, metric, 4, x.data() + r, step[r], found.entry[r], found.signs[r]);
                REQUIRE(mine <= least * 1.001 + 1e-3);
                REQUIRE(static_cast<double>(found.cost[r]) == doctest::Approx(mine).epsilon(1e-3));
                if (f.signs == EntrySigns::even) REQUIRE(std::popcount(static_cast<uint32_t>(found.signs[r])) % 2 == 1);
            }
        }
}

}  // namespace ech0
