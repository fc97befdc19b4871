#include "compress/output_norm.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <deque>

#include "base/interrupt.h"
#include "base/matrix.h"
#include "base/parallel.h"
#include "runtime/ggml_types.h"
#include "runtime/source.h"

namespace ech0 {
namespace {

constexpr int64_t slab_rows = 1024;  // of the output matrix, decoded and multiplied at a time
constexpr size_t held_every = 4;     // one chunk in so many stops the descent
constexpr int most_steps = 8;        // of L-BFGS; the held-out chunks usually end it before
constexpr size_t remembered = 6;     // pairs of steps and changes of the gradient

using Vector = Eigen::VectorXd;
using ConstRows = Eigen::Map<const Matrix>;
using Rows = Eigen::Map<Matrix>;

bool is_held(size_t chunk, size_t n_chunks) { return n_chunks > 1 && (n_chunks - chunk) % held_every == 1; }

/// [n_tokens, n_vocab] logits as log-probabilities, vocabulary first.
std::vector<float> log_probabilities(std::span<const float> logits, int64_t n_vocab) {
    const auto n_tokens = static_cast<int64_t>(logits.size()) / n_vocab;
    std::vector<float> result(logits.size());
    Rows out(result.data(), n_vocab, n_tokens);
    for (int64_t t = 0; t < n_tokens; t++) {
        const Eigen::Map<const Eigen::ArrayXf> row(logits.data() + t * n_vocab, n_vocab);
        const float most = row.maxCoeff();
        const auto sum = static_cast<float>(std::log((row - most).exp().cast<double>().sum()));
        out.col(t) = (row - most - sum).matrix();
    }
    return result;
}

/// Are these the products of the output matrix with x, but for the engine's rounding of x?
bool are_products(const HeadText& text, std::span<const float> x, std::span<const float> logits) {
    Matrix w(slab_rows, text.n_embd);
    const Eigen::Map<const Eigen::VectorXf> input(x.data(), text.n_embd);
    Eigen::VectorXf mine(text.n_vocab);
    for (int64_t first = 0; first < text.n_vocab; first += slab_rows) {
        const int64_t n = std::min(slab_rows, text.n_vocab - first);
        text.rows(first, n, w.data());
        mine.segment(first, n) = w.topRows(n) * input;
    }
    const Eigen::Map<const Eigen::VectorXf> theirs(logits.data(), text.n_vocab);
    constexpr float tolerance = 0.01F;  // of the square; rounding x to 8 bits costs a ten thousandth
    return (mine - theirs).squaredNorm() <= tolerance * theirs.squaredNorm();
}

/// Logits of one chunk, vocabulary first, and log sum exp of each token's.
struct Logits {
    Matrix z;                // [n_vocab, n_tokens]
    Eigen::ArrayXf log_sum;  // [n_tokens]
};

class HeadLoss {
public:
    HeadLoss(const HeadText& text, int n_threads) : text_(text), n_threads_(n_threads) {
        for (size_t c = 0; c < text.inputs.size(); c++) n_of(is_held(c, text.inputs.size())) += n_tokens(c);
        if (n_held_ == 0) n_held_ = n_fitted_;
    }

    struct At {
        double fitted = 0, held = 0;  ///< mean KL divergence, nats
        Vector gradient;              ///< of `fitted`
    };

    At at(const Vector& f) const {
        At sum{0, 0, Vector::Zero(f.size())};
        const size_t n = text_.inputs.size();
        for (size_t c = 0; c < n; c++) {
            check_interrupt();
            const bool held = is_held(c, n);
            const Matrix x = inputs(c, f);
            Logits out = logits(x);
            const ConstRows log_p(text_.log_p[c].data(), out.z.rows(), out.z.cols());
            const double kl = divergence(out, log_p);
            if (held || n == 1) sum.held += kl;
            if (held) continue;
            sum.fitted += kl;
            subtract(out, log_p);  // q - p
            const ConstRows plain(text_.inputs[c].data(), x.rows(), x.cols());
            const Matrix back = through_matrix(out.z);
            sum.gradient += back.cwiseProduct(plain).colwise().sum().transpose().cast<double>();
        }
        sum.fitted /= static_cast<double>(n_fitted_), sum.held /= static_cast<double>(n_held_);
        sum.gradient /= static_cast<double>(n_fitted_);
        return sum;
    }

    /// sum_t x_ti^2 Var_q(W_vi) / n, at f = 1.
    Vector curvature() const {
        Vector sum = Vector::Zero(text_.n_embd);
        const size_t n = text_.inputs.size();
        for (size_t c = 0; c < n; c++) {
            if (is_held(c, n)) continue;
            const ConstRows x(text_.inputs[c].data(), n_tokens(c), text_.n_embd);
            Logits out = logits(x);
            out.z = (out.z.array().rowwise() - out.log_sum.transpose()).exp().matrix();
            const Matrix mean = through_matrix(out.z), square = through_matrix(out.z, true);
            const Matrix variance = square - mean.cwiseProduct(mean);
            sum += variance.cwiseProduct(x.cwiseProduct(x)).colwise().sum().transpose().cast<double>();
        }
        return sum / static_cast<double>(n_fitted_);
    }

private:
    int64_t& n_of(bool held) { return held ? n_held_ : n_fitted_; }
    int64_t n_tokens(size_t c) const { return static_cast<int64_t>(text_.inputs[c].size()) / text_.n_embd; }

    Matrix inputs(size_t c, const Vector& f) const {
        const ConstRows x(text_.inputs[c].data(), n_tokens(c), text_.n_embd);
        return x * f.cast<float>().asDiagonal();
    }

    /// Slabs of the matrix are independent of each other, so threads change no sum.
    Logits logits(const Matrix& x) const {
        Logits out{Matrix(text_.n_vocab, x.rows()), {}};
        parallel_for((text_.n_vocab + slab_rows - 1) / slab_rows, n_threads_, [&](int64_t i) {
            const int64_t first = i * slab_rows, n = std::min(slab_rows, text_.n_vocab - first);
            Matrix w(n, text_.n_embd);
            text_.rows(first, n, w.data());
            out.z.middleRows(first, n).noalias() = w * x.transpose();
        });
        const Eigen::RowVectorXf most = out.z.colwise().maxCoeff();
        Eigen::ArrayXd sum = Eigen::ArrayXd::Zero(x.rows());
        for (int64_t v = 0; v < text_.n_vocab; v++)
            sum += (out.z.row(v) - most).array().exp().cast<double>().transpose();
        out.log_sum = most.transpose().array() + sum.log().cast<float>();
        return out;
    }

    static double divergence(const Logits& out, const ConstRows& log_p) {
        double sum = 0;
        for (int64_t v = 0; v < log_p.rows(); v++) {
            const auto lp = log_p.row(v).array();
            sum += static_cast<double>((lp.exp() * (lp - out.z.row(v).array() + out.log_sum.transpose())).sum());
        }
        return sum;
    }

    static void subtract(Logits& out, const ConstRows& log_p) {
        for (int64_t v = 0; v < log_p.rows(); v++)
            out.z.row(v) =
                ((out.z.row(v).array() - out.log_sum.transpose()).exp() - log_p.row(v).array().exp()).matrix();
    }

    /// d' W, or d' W^2 element by element: [n_tokens, n_embd].
    Matrix through_matrix(const Matrix& d, bool squared = false) const {
        Matrix sum = Matrix::Zero(d.cols(), text_.n_embd);
        Matrix w(slab_rows, text_.n_embd);
        for (int64_t first = 0; first < text_.n_vocab; first += slab_rows) {
            const int64_t n = std::min(slab_rows, text_.n_vocab - first);
            text_.rows(first, n, w.data());
            if (squared) w = w.cwiseProduct(w).eval();
            add_products(d.row(first).data(), d.cols(), w.data(), w.cols(), n, n_threads_, sum);
        }
        return sum;
    }

    const HeadText& text_;
    int n_threads_;
    int64_t n_fitted_ = 0, n_held_ = 0;
};

/// The steps so far as L-BFGS remembers them, newest first.
class Memory {
public:
    explicit Memory(Vector inverse_curvature) : inverse_(std::move(inverse_curvature)) {}

    void add(const Vector& step, const Vector& change) {
        if (step.dot(change) <= 0) return;  // rounding noise: the loss is convex
        pairs_.push_front({step, change});
        if (pairs_.size() > remembered) pairs_.pop_back();
    }

    Vector direction(const Vector& gradient) const {
        Vector q = -gradient;
        std::vector<double> a;
        for (const auto& [s, y] : pairs_) q -= a.emplace_back(s.dot(q) / s.dot(y)) * y;
        q = inverse_.cwiseProduct(q);
        for (size_t i = pairs_.size(); i-- > 0;) {
            const auto& [s, y] = pairs_[i];
            q += (a[i] - y.dot(q) / s.dot(y)) * s;
        }
        return q;
    }

private:
    struct Pair {
        Vector step, change;
    };
    Vector inverse_;
    std::deque<Pair> pairs_;
};

}  // namespace

HeadText read_head(const Model& model, const Weights& original, const Weights& rounded, const Chunks& chunks,
                   const Walk& walk) {
    HeadText text{model.n_embd, model.n_vocab, true, FloatArrays(walk.spill), FloatArrays(walk.spill), {}};
    Walk ours = walk, theirs = walk;
    theirs.on_logits = [&](int64_t c, std::span<const float> logits) {
        text.log_p.put(static_cast<size_t>(c), log_probabilities(logits, text.n_vocab));
    };
    walk_model(model, original, chunks, theirs);
    const Tensor& head = output_matrix(model);
    ActivationSink sink;
    sink.wants = [&](const std::string& tensor) { return tensor == head.name; };
    sink.take = [&](const std::string&, int64_t, const float* x, int64_t n_rows, int64_t n_cols) {
        text.inputs.put(text.inputs.size(), {x, static_cast<size_t>(n_rows * n_cols)});
    };
    ours.sink = &sink;
    std::vector<float> last_logits;
    ours.on_logits = [&](int64_t, std::span<const float> logits) {
        const auto row = logits.last(static_cast<size_t>(text.n_vocab));
        last_logits.assign(row.begin(), row.end());
    };
    walk_model(model, rounded, chunks, ours);
    text.rows = [&rounded, &head](int64_t first, int64_t n, float* out) {
        std::vector<std::byte> scratch;
        const ggml_type type = rounded.type(head);
        to_float(type,
                 rounded.bytes(head, scratch).data() + static_cast<size_t>(first) * ggml_row_size(type, head.n_cols()),
                 out, n * head.n_cols());
    };
    const std::span<const float> inputs = text.inputs[chunks.size() - 1];
    text.is_product = are_products(text, inputs.last(static_cast<size_t>(text.n_embd)), last_logits);
    return text;
}

OutputNormFit fit_output_norm(const HeadText& text, int n_threads, const Progress& progress) {
    const HeadLoss loss(text, n_threads);
    Vector f = Vector::Ones(text.n_embd), best = f;
    const Vector curvature = loss.curvature();
    // The diagonal alone promises too long steps, and dead channels have none.
    Memory memory((curvature.array() + curvature.mean()).inverse().matrix());
    HeadLoss::At now = loss.at(f);
    OutputNormFit fit{{}, now.held, now.held};
    for (int step = 0; step < most_steps; step++) {
        if (progress) progress("fit the last norm", step, most_steps);
        const Vector direction = memory.direction(now.gradient);
        const double slope = direction.dot(now.gradient);
        if (!(slope < 0)) break;
        double length = 1;
        HeadLoss::At next = loss.at(f + direction);
        for (; next.fitted > now.fitted + 1e-4 * length * slope && length > 1e-2;
             next = loss.at(f + length * direction))
            length /= 2;
        if (next.fitted >= now.fitted) break;
        memory.add(length * direction, next.gradient - now.gradient);
        f += length * direction;
        now = std::move(next);
        if (now.held >= fit.kl_after) break;  // what it learns now is this text
        fit.kl_after = now.held, best = f;
    }
    const Eigen::VectorXf factors = best.cast<float>();
    fit.factors.assign(factors.data(), factors.data() + factors.size());
    return fit;
}

}  // namespace ech0
