#include "compress/search.h"

#include <doctest/doctest.h>

#include <cmath>

namespace ech0 {
namespace {

constexpr size_t n_tensors = 24;

/// Tensors of two kinds with five types each, whose errors fall by four with each bit, as quantization's do.
struct Problem {
    std::vector<Tensor> tensors{n_tensors};
    std::vector<TensorCosts> costs;
    std::vector<double> gains;

    Problem() {
        for (size_t i = 0; i < n_tensors; i++) {
            tensors[i].name = "blk." + std::to_string(i / 2) + (i % 2 == 0 ? ".ffn_up.weight" : ".attn_v.weight");
            tensors[i].shape = {256, 64};
            tensors[i].n_elements = 256 * 64;
            gains.push_back(std::exp(0.2 * static_cast<double>(i / 2)));
        }
        for (const Tensor& t : tensors)
            costs.push_back({&t,
                             {GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K},
                             {0.1, 0.04, 0.01, 0.0025, 0.0006}});
    }

    int64_t bytes(const std::vector<int32_t>& choice) const {
        int64_t sum = 0;
        for (size_t i = 0; i < n_tensors; i++)
            sum += static_cast<int64_t>(ggml_row_size(costs[i].types[static_cast<size_t>(choice[i])], 256)) * 64;
        return sum;
    }

    int64_t middle() const { return bytes(std::vector<int32_t>(n_tensors, 2)); }

    /// The truth: attn_v matters `factor` times as much as the gains say. KL at 100 positions.
    std::vector<double> kl(const std::vector<int32_t>& choice, double factor) const {
        double sum = 0;
        for (size_t i = 0; i < n_tensors; i++)
            sum += gains[i] * (i % 2 == 1 ? factor : 1) * costs[i].errors[static_cast<size_t>(choice[i])];
        std::vector<double> values(100, sum);
        for (size_t i = 0; i < 100; i++) values[i] *= 1 + 0.1 * std::sin(static_cast<double>(i));
        return values;
    }
};

}  // namespace

TEST_CASE("measured changes correct a prediction that is wrong about a kind of tensor") {
    const Problem p;
    const auto measure = [&](const std::vector<int32_t>& choice) { return p.kl(choice, 10); };
    const SearchResult blind = search_plan({p.costs, p.gains, p.middle(), 32, 0, measure, {}});
    const SearchResult searched = search_plan({p.costs, p.gains, p.middle(), 32, 3, measure, {}});
    CHECK(searched.measured_kl < 0.9 * blind.measured_kl);
    CHECK(p.bytes(searched.choice) <= p.middle());
    CHECK(blind.tried.size() == 1);
    CHECK(searched.tried.size() > 1);
}

TEST_CASE("a prediction that is right is kept, and nothing is measured twice") {
    const Problem p;
    std::vector<std::vector<int32_t>> seen;
    const auto measure = [&](const std::vector<int32_t>& choice) {
        for (const auto& s : seen) CHECK(s != choice);
        seen.push_back(choice);
        return p.kl(choice, 1);
    };
    const SearchResult result = search_plan({p.costs, p.gains, p.middle(), 32, 2, measure, {}});
    CHECK(result.choice == seen.front());
    CHECK(seen.size() > 1);
}

TEST_CASE("a tensor's kind is its name without the layer") {
    CHECK(kind_of("blk.12.ffn_up.weight") == "ffn_up");
    CHECK(kind_of("token_embd.weight") == "token_embd");
    CHECK(kind_of("output.weight") == "output");
}

}  // namespace ech0
