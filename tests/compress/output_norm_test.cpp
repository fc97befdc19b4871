#include "compress/output_norm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "support/random_matrix.h"

namespace ech0 {
namespace {

constexpr int64_t n_vocab = 1500, n_embd = 12, n_tokens = 20;  // more rows than are decoded at a time

std::vector<float> some_factors() {
    std::vector<float> f;
    for (int i = 0; i < n_embd; i++) f.push_back(0.6F + 0.07F * static_cast<float>(i));
    return f;
}

/// Random inputs of a random output matrix; the original's distributions are those of other factors, by chunk.
struct Fixture {
    Matrix w = random_matrix(n_vocab, n_embd, 1) * 0.5F;
    HeadText text;

    explicit Fixture(const std::vector<std::vector<float>>& factors_of_chunk) {
        text.n_embd = n_embd, text.n_vocab = n_vocab;
        text.rows = [this](int64_t first, int64_t n, float* out) {
            Eigen::Map<Matrix>(out, n, n_embd) = w.middleRows(first, n);
        };
        for (size_t c = 0; c < factors_of_chunk.size(); c++) add_chunk(c, factors_of_chunk[c]);
    }
    Fixture(const Fixture&) = delete;

    void add_chunk(size_t c, const std::vector<float>& f) {
        Matrix x = random_matrix(n_tokens, n_embd, 10 + static_cast<unsigned>(c));
        x.col(n_embd - 1).setZero();  // a dead channel
        const Matrix z =
            w.lazyProduct((x * Eigen::Map<const Eigen::VectorXf>(f.data(), n_embd).asDiagonal()).transpose());
        Matrix log_p(n_vocab, n_tokens);
        for (int64_t t = 0; t < n_tokens; t++) {
            double sum = 0;
            for (int64_t v = 0; v < n_vocab; v++) sum += std::exp(static_cast<double>(z(v, t)));
            for (int64_t v = 0; v < n_vocab; v++) log_p(v, t) = z(v, t) - static_cast<float>(std::log(sum));
        }
        text.inputs.put(c, {x.data(), static_cast<size_t>(x.size())});
        text.log_p.put(c, {log_p.data(), static_cast<size_t>(log_p.size())});
    }
};

const std::vector<float> ones(n_embd, 1.0F);

}  // namespace

TEST_CASE("the last norm finds the factors that the original's distributions were made with") {
    const std::vector<float> wanted = some_factors();
    const Fixture f({wanted, wanted, wanted, wanted});
    const OutputNormFit fit = fit_output_norm(f.text, 1);
    CHECK(fit.kl_before > 0.05);
    CHECK(fit.kl_after < 1e-4 * fit.kl_before);
    for (size_t i = 0; i + 1 < wanted.size(); i++) CHECK(fit.factors[i] == doctest::Approx(wanted[i]).epsilon(0.01));
    CHECK(fit.factors.back() == 1);  // nothing came through it
    CHECK(fit_output_norm(f.text, 3).factors == fit.factors);
}

TEST_CASE("a last norm that is best already stays, and so does one that only the fitted chunks would change") {
    const Fixture best({ones, ones, ones, ones});
    const OutputNormFit nothing = fit_output_norm(best.text, 1);
    CHECK(nothing.kl_before == doctest::Approx(0).epsilon(1e-5));
    for (const float factor : nothing.factors) CHECK(factor == doctest::Approx(1).epsilon(1e-3));
    const Fixture torn({some_factors(), some_factors(), some_factors(), ones});  // the last chunk is held out
    const OutputNormFit refused = fit_output_norm(torn.text, 1);
    CHECK(refused.factors == ones);
    CHECK(refused.kl_after == refused.kl_before);
}

TEST_CASE("one chunk is fitted on and judged by") {
    const Fixture f({some_factors()});
    const OutputNormFit fit = fit_output_norm(f.text, 1);
    CHECK(fit.kl_after < 0.01 * fit.kl_before);
}

}  // namespace ech0
