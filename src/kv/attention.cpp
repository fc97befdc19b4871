#include "kv/attention.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace ech0 {

void add_squared_attention(const float* query, const float* k, int64_t n_tokens, int64_t stride, int64_t d,
                           float* sum) {
    using Rows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0,
                            Eigen::OuterStride<>>;
    const Rows keys(k, n_tokens, d, Eigen::OuterStride<>(stride));
    Eigen::VectorXf a = keys * Eigen::Map<const Eigen::VectorXf>(query, d) / std::sqrt(static_cast<float>(d));
    a = (a.array() - a.maxCoeff()).exp();
    a /= a.sum();
    Eigen::Map<Eigen::VectorXf>(sum, n_tokens).array() += a.array().square();
}

std::vector<float> expected_attention(const KvProfile& profile, int64_t layer, std::span<const float> k,
                                      std::span<const int32_t> pos, int n_threads) {
    constexpr int32_t ahead = 256;  // tokens that the next queries are spread over
    const KvLayerProfile& p = profile.layers[static_cast<size_t>(layer)];
    const int64_t d = profile.d_k, n = static_cast<int64_t>(pos.size()), width = p.n_head_kv * d;
    std::vector<float> turned(k.begin(), k.end());
    turn(profile.rope, pos, p.n_head_kv, d, false, turned.data());
    const int32_t last = pos.empty() ? 0 : *std::max_element(pos.begin(), pos.end());
    const int64_t group = p.n_head / p.n_head_kv;
    std::vector<float> by_head(static_cast<size_t>(p.n_head_kv * n));
    parallel_for(p.n_head_kv, n_threads, [&](int64_t g) {
        float* sum = by_head.data() + g * n;
        if (p.k[static_cast<size_t>(g)].dead) return;
        std::vector<float> query(static_cast<size_t>(d));
        for (int64_t h = g * group; h < (g + 1) * group; h++)
            for (int64_t m = 0; m < profile.n_queries; m++) {
                const float* q = p.queries.data() + (h * profile.n_queries + m) * d;
                std::copy(q, q + d, query.begin());
                const std::vector<int32_t> at = {last + 1 + static_cast<int32_t>(m * ahead / profile.n_queries)};
                turn(profile.rope, at, 1, d, false, query.data());
                add_squared_attention(query.data(), turned.data() + g * d, n, width, d, sum);
            }
        const float usual = p.usual_attention[static_cast<size_t>(g)] * static_cast<float>(group * profile.n_queries);
        for (int64_t t = 0; t < n; t++) sum[t] /= std::max(usual, 1e-30F);
    });
    std::vector<float> out(by_head.size());
    for (int64_t g = 0; g < p.n_head_kv; g++)
        for (int64_t t = 0; t < n; t++)
            out[static_cast<size_t>(t * p.n_head_kv + g)] = by_head[static_cast<size_t>(g * n + t)];
    return out;
}

std::vector<int8_t> exponents_of(std::span<const float> attention, int64_t n_head_kv) {
    // What is foreseen can be wrong: no token is held for worth less than a hundredth of the mean.
    constexpr double least = 0.01;
    const auto n = static_cast<int64_t>(attention.size()) / n_head_kv;
    std::vector<int8_t> exponents(attention.size());
    for (int64_t g = 0; g < n_head_kv; g++) {
        double mean = 0;
        for (int64_t t = 0; t < n; t++) mean += attention[static_cast<size_t>(t * n_head_kv + g)];
        mean = std::max(mean / static_cast<double>(std::max<int64_t>(n, 1)), 1e-20);
        for (int64_t t = 0; t < n; t++) {
            const auto at = static_cast<size_t>(t * n_head_kv + g);
            const double e = std::round(-2 * std::log2(attention[at] + least * mean));
            exponents[at] = static_cast<int8_t>(std::clamp<double>(e, -max_exponent, max_exponent));
        }
    }
    return exponents;
}

}  // namespace ech0
