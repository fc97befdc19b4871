#include "kv/profile_calibration.h"

#include <fmt/format.h>
#include <ggml.h>
#include <llama.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/sha256.h"
#include "calibrate/chunks.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "kv/attention.h"
#include "kv/layer_transform.h"
#include "kv/prefill.h"
#include "kv/values.h"
#include "runtime/divergence.h"
#include "runtime/engine.h"
#include "runtime/session_impl.h"
#include "runtime/source.h"

namespace ech0 {
namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using StridedRows = Eigen::Map<const Rows, 0, Eigen::OuterStride<>>;
using Square = Eigen::MatrixXd;

// The first tokens of a text draw attention whatever they are and look like no others: statistics leave them out.
constexpr int64_t n_sinks = 4;
// Of the metric's mean, given to every direction: a metric from a sample must not call any direction free.
constexpr double metric_ridge = 0.01;
constexpr double predictor_ridge = 3e-4;
// Rounding the weights of a predictor may add noise of this much of a step to a coefficient before it is rounded.
constexpr double weight_noise = 0.5;
// What all coefficients rounded with the profile's own step are to cost, nats per token. Predictors are learnt from
// what is decoded with that step.
constexpr double own_divergence = 0.002;
constexpr int64_t n_sampled_queries = 64;  // of each piece, for the metric of keys
constexpr int64_t n_sampled_pairs = 256;   // of each piece and head, drawn by how much an error in the pair matters

/// One piece of the text as the model saw it, halves to save memory.
struct Piece {
    std::string cache;
    KvState state;
    std::vector<int32_t> tokens, query_pos;
    std::vector<std::vector<float>> queries;  // [n_layer] [n_sampled_queries, n_head, d_k], turned back
};

/// Same numbers on every machine: xorshift (Marsaglia 2003).
class Dice {
public:
    double next() {
        s_ ^= s_ << 13;
        s_ ^= s_ >> 7;
        s_ ^= s_ << 17;
        return static_cast<double>(s_ >> 11) * 0x1p-53;
    }

private:
    uint64_t s_ = 88172645463325252ULL;
};

KvHeads heads_of(const KvProfile& profile) { return {profile.rope, profile.d_k, profile.d_v}; }

KvProfile empty_profile(const Model& model, const KvProfileOptions& options) {
    KvProfile profile;
    profile.model_name = model.name;
    profile.d_k = model.n_embd_head_k;
    profile.d_v = model.n_embd_head_v;
    profile.n_queries = options.n_queries;
    profile.n_ctx = options.n_ctx;
    profile.layers.resize(static_cast<size_t>(model.n_layer));
    for (size_t l = 0; l < profile.layers.size(); l++) {
        KvLayerProfile& layer = profile.layers[l];
        layer.n_head = model.n_head.at(l);
        layer.n_head_kv = model.n_head_kv.at(l);
        const Tensor* out = model.find(fmt::format("blk.{}.attn_output.weight", l));
        if (layer.n_head_kv < 1 || layer.n_head % layer.n_head_kv != 0 || out == nullptr ||
            out->n_cols() != layer.n_head * profile.d_v)
            throw UsageError(
                fmt::format("layer {} of {} has no plain attention (KV heads {}, heads {}); the lossy codec "
                            "needs it in every layer: pack without --kl and --ratio",
                            l, model.asked, layer.n_head_kv, layer.n_head));
    }
    return profile;
}

std::vector<Piece> read_pieces(const Model& model, QueryReader& reader, const Chunks& chunks, const KvProfile& profile,
                               const Progress& progress) {
    std::vector<Piece> pieces;
    for (const std::vector<int32_t>& tokens : chunks) {
        if (progress)
            progress("kv profile: read text", static_cast<int64_t>(pieces.size()), static_cast<int64_t>(chunks.size()));
        Piece& piece = pieces.emplace_back();
        piece.tokens = tokens;
        const auto n = static_cast<int64_t>(tokens.size());
        const int64_t first = n / 4;
        for (int64_t i = 0; i < n_sampled_queries; i++)
            piece.query_pos.push_back(static_cast<int32_t>(first + (n - first) * i / n_sampled_queries));
        piece.queries.resize(profile.layers.size());
        piece.cache = reader.prefill(tokens, [&](int64_t l, int64_t at, const float* q, int64_t n_new) {
            const int64_t row = profile.layers.at(static_cast<size_t>(l)).n_head * profile.d_k;
            for (const int32_t pos : piece.query_pos)
                if (pos >= at && pos < at + n_new)
                    piece.queries[static_cast<size_t>(l)].insert(piece.queries[static_cast<size_t>(l)].end(),
                                                                 q + (pos - at) * row, q + (pos - at + 1) * row);
        });
        for (size_t l = 0; l < piece.queries.size(); l++) {
            const KvLayerProfile& layer = profile.layers[l];
            if (piece.queries[l].size() != static_cast<size_t>(n_sampled_queries * layer.n_head * profile.d_k))
                throw UsageError(
                    fmt::format("{}: queries of layer {} can't be seen in {} models; pack without --kl and --ratio",
                                model.asked, l, model.architecture));
            turn(profile.rope, piece.query_pos, layer.n_head, profile.d_k, true, piece.queries[l].data());
        }
        piece.state = read_kv_state(bytes_of(piece.cache), "the cache");
        require_plain_cache(piece.state, "the cache");
    }
    return pieces;
}

KvLayerValues layer_of(const Piece& piece, const KvProfile& profile, int64_t l) {
    return read_layer(piece.state, bytes_of(piece.cache), heads_of(profile), l);
}

struct Metric {
    Square root, inverse_root;
};

Metric root_of(Square m) {
    const int64_t d = m.rows();
    m += Square::Identity(d, d) * (metric_ridge * m.trace() / static_cast<double>(d) + 1e-30);
    const Eigen::SelfAdjointEigenSolver<Square> solver(m);
    const Eigen::VectorXd e = solver.eigenvalues().cwiseMax(1e-30).cwiseSqrt();
    const Square& v = solver.eigenvectors();
    return {v * e.asDiagonal() * v.transpose(), v * e.cwiseInverse().asDiagonal() * v.transpose()};
}

struct LayerMetrics {
    std::vector<Square> k, v;  // [n_head_kv] what an error e costs: e' M e, for all tokens of a text alike
};

// Attention of the sampled queries of one head, and what errors in each (query, key) would cost.
void add_key_metric(const Piece& piece, const KvProfile& profile, int64_t l, int64_t h, const Rows& output,
                    const StridedRows& k, const StridedRows& v, Dice& dice, Square& metric, double& squared_attention) {
    const KvLayerProfile& layer = profile.layers[static_cast<size_t>(l)];
    const int64_t n = k.rows(), d = profile.d_k;
    Rows q(n_sampled_queries, d);
    for (int64_t i = 0; i < n_sampled_queries; i++)
        q.row(i) = Eigen::Map<const Eigen::RowVectorXf>(
            piece.queries[static_cast<size_t>(l)].data() + (i * layer.n_head + h) * d, d);
    Rows turned = q;
    turn(profile.rope, piece.query_pos, 1, d, false, turned.data());
    Rows a = turned * k.transpose() / std::sqrt(static_cast<float>(d));
    const Rows seen = v * output.transpose();  // what each token's value adds to the stream
    Rows cost(n_sampled_queries, n);
    const Eigen::VectorXf seen_norm = seen.rowwise().squaredNorm();
    for (int64_t i = 0; i < n_sampled_queries; i++) {
        const int64_t m = piece.query_pos[static_cast<size_t>(i)] + 1;
        auto row = a.row(i);
        row.head(m) = (row.head(m).array() - row.head(m).maxCoeff()).exp();
        row.tail(n - m).setZero();
        row /= row.sum();
        const Eigen::RowVectorXf mean = row * seen;
        const Eigen::RowVectorXf away =
            (seen_norm.transpose().array() + mean.squaredNorm()).matrix() - 2 * mean * seen.transpose();
        squared_attention += row.squaredNorm() / static_cast<double>(m);
        cost.row(i) = row.array().square() * away.array().max(0.0F);
    }
    const double total = cost.cast<double>().sum();
    if (total <= 0) return;
    std::vector<double> stops(static_cast<size_t>(n_sampled_pairs));
    for (int64_t s = 0; s < n_sampled_pairs; s++)
        stops[static_cast<size_t>(s)] =
            (static_cast<double>(s) + dice.next()) / static_cast<double>(n_sampled_pairs) * total;
    double sum = 0;
    size_t next = 0;
    Eigen::RowVectorXf relative(d);
    for (int64_t i = 0; i < n_sampled_queries && next < stops.size(); i++)
        for (int64_t j = 0; j < n && next < stops.size(); j++) {
            sum += cost(i, j);
            if (sum < stops[next]) continue;
            relative = q.row(i);
            const std::vector<int32_t> distance = {piece.query_pos[static_cast<size_t>(i)] - static_cast<int32_t>(j)};
            turn(profile.rope, distance, 1, d, false, relative.data());
            const Eigen::VectorXd r = relative.transpose().cast<double>();
            for (; next < stops.size() && stops[next] <= sum; next++)
                metric += r * r.transpose() * (total / static_cast<double>(n_sampled_pairs * n_sampled_queries));
        }
}

LayerMetrics layer_metrics(const Source& source, const std::vector<Piece>& pieces, KvProfile& profile, int64_t l,
                           Dice& dice) {
    KvLayerProfile& layer = profile.layers[static_cast<size_t>(l)];
    const int64_t dk = profile.d_k, dv = profile.d_v, group = layer.n_head / layer.n_head_kv;
    const Tensor& tensor = *source.model().find(fmt::format("blk.{}.attn_output.weight", l));
    Rows output(tensor.n_rows(), tensor.n_cols());
    source.rows(tensor, 0, tensor.n_rows(), output.data());
    LayerMetrics m;
    m.k.assign(static_cast<size_t>(layer.n_head_kv), Square::Zero(dk, dk));
    m.v.assign(static_cast<size_t>(layer.n_head_kv), Square::Zero(dv, dv));
    std::vector<double> attention(static_cast<size_t>(layer.n_head_kv));
    for (const Piece& piece : pieces) {
        KvLayerValues values = layer_of(piece, profile, l);
        turn(profile.rope, positions_of(piece.state), layer.n_head_kv, dk, false, values.k.data());
        const auto n = static_cast<int64_t>(piece.tokens.size());
        for (int64_t h = 0; h < layer.n_head; h++) {
            const int64_t g = h / group;
            const StridedRows k(values.k.data() + g * dk, n, dk, Eigen::OuterStride<>(layer.n_head_kv * dk));
            const StridedRows v(values.v.data() + g * dv, n, dv, Eigen::OuterStride<>(layer.n_head_kv * dv));
            add_key_metric(piece, profile, l, h, output.middleCols(h * dv, dv), k, v, dice, m.k[static_cast<size_t>(g)],
                           attention[static_cast<size_t>(g)]);
        }
    }
    const auto n_pieces = static_cast<double>(pieces.size());
    layer.usual_attention.clear();
    for (int64_t g = 0; g < layer.n_head_kv; g++) {
        const auto at = static_cast<size_t>(g);
        m.k[at] /= n_pieces;
        const double usual = attention[at] / (n_pieces * static_cast<double>(n_sampled_queries * group));
        layer.usual_attention.push_back(static_cast<float>(usual));
        for (int64_t h = g * group; h < (g + 1) * group; h++) {
            const Square w = output.middleCols(h * dv, dv).cast<double>();
            m.v[at] += w.transpose() * w * (usual * static_cast<double>(profile.n_ctx));
        }
    }
    return m;
}

void keep_queries(const std::vector<Piece>& pieces, KvProfile& profile, int64_t l) {
    KvLayerProfile& layer = profile.layers[static_cast<size_t>(l)];
    const int64_t d = profile.d_k, n_all = static_cast<int64_t>(pieces.size()) * n_sampled_queries;
    layer.queries.resize(static_cast<size_t>(layer.n_head * profile.n_queries * d));
    for (int64_t m = 0; m < profile.n_queries; m++) {
        const int64_t which = (2 * m + 1) * n_all / (2 * profile.n_queries);
        const std::vector<float>& from =
            pieces[static_cast<size_t>(which / n_sampled_queries)].queries[static_cast<size_t>(l)];
        for (int64_t h = 0; h < layer.n_head; h++)
            std::copy_n(from.data() + (which % n_sampled_queries * layer.n_head + h) * d, d,
                        layer.queries.data() + (h * profile.n_queries + m) * d);
    }
    layer.log_query.clear();
    for (int64_t h = 0; h < layer.n_head; h++) {
        Eigen::Map<Eigen::ArrayXf> q(layer.queries.data() + h * profile.n_queries * d, profile.n_queries * d);
        const double most = std::max(double{q.abs().maxCoeff()}, 1e-20);
        layer.log_query.push_back(static_cast<int16_t>(std::ceil(16 * std::log2(most / 127))));
        const float step = std::exp2(static_cast<float>(layer.log_query.back()) / 16);
        q = (q / step).round() * step;
    }
}

/// Rows of all pieces without their first tokens: one head's K or V.
Rows head_rows(const std::vector<KvLayerValues>& values, bool is_value, int64_t head, int64_t d, int64_t n_head_kv) {
    int64_t n = 0;
    const int64_t width = n_head_kv * d;
    for (const KvLayerValues& v : values) n += static_cast<int64_t>((is_value ? v.v : v.k).size()) / width - n_sinks;
    Rows rows(n, d);
    int64_t at = 0;
    for (const KvLayerValues& v : values) {
        const std::vector<float>& x = is_value ? v.v : v.k;
        const int64_t count = static_cast<int64_t>(x.size()) / width - n_sinks;
        rows.middleRows(at, count) =
            StridedRows(x.data() + n_sinks * width + head * d, count, d, Eigen::OuterStride<>(width));
        at += count;
    }
    return rows;
}

/// Axes of the residuals' covariance in the metric; spreads along them.
void set_transform(KvBlock& block, const Metric& metric, double gain, const Rows& residual) {
    const Square y = residual.cast<double>() * metric.root;
    const Square c = y.transpose() * y / static_cast<double>(std::max<int64_t>(1, residual.rows()));
    const Eigen::SelfAdjointEigenSolver<Square> solver(c);
    const Square axes = solver.eigenvectors().rowwise().reverse();
    const Rows forward = (metric.root * axes * std::sqrt(gain)).cast<float>();
    const Rows inverse = (axes.transpose() * metric.inverse_root / std::sqrt(gain)).cast<float>();
    block.forward.assign(forward.data(), forward.data() + forward.size());
    block.inverse.assign(inverse.data(), inverse.data() + inverse.size());
    round_halves(block.inverse);
    block.log_spread.clear();
    for (int64_t i = 0; i < block.d; i++) {
        const double variance = std::max(solver.eigenvalues()[block.d - 1 - i] * gain, 1e-24);
        block.log_spread.push_back(static_cast<int16_t>(std::lround(8 * std::log2(variance))));
    }
}

// --- sensitivity of layers: the codec at work on one of them, the rest untouched ---

struct Probe {
    std::vector<Piece> piece;  // one
    std::vector<int32_t> next;
    std::vector<float> logits;
};

std::vector<Probe> make_probes(const Model& model, QueryReader& reader, const Chunks& chunks, const KvProfile& profile,
                               const KvProfileOptions& options) {
    std::vector<Probe> probes;
    for (const std::vector<int32_t>& chunk : spread_chunks(chunks, options.n_probe)) {
        Probe probe;
        const auto split = chunk.end() - options.n_probe_next;
        probe.next.assign(split, chunk.end());
        probe.piece = read_pieces(model, reader, {std::vector<int32_t>(chunk.begin(), split)}, profile, {});
        const std::span<const float> logits = reader.session().decode(probe.next, 0);
        probe.logits.assign(logits.begin(), logits.end());
        probes.push_back(std::move(probe));
    }
    return probes;
}

double mean_kl(Session& session, std::span<const uint8_t> cache, const Probe& probe, int n_threads) {
    session.restore(cache);
    const std::span<const float> logits = session.decode(probe.next, 0);
    double sum = 0;
    for (const Score& score : compare(probe.logits, logits, probe.next, n_threads)) sum += score.kl_divergence;
    return sum / static_cast<double>(probe.next.size());
}

/// Layer l alone, as the first layer of a profile of its own, so that nothing is predicted but the mean.
KvProfile alone(const KvProfile& profile, int64_t l, const LayerMetrics& metrics,
                const std::vector<KvLayerValues>& values) {
    KvProfile one = profile;
    one.layers = {profile.layers[static_cast<size_t>(l)]};
    KvLayerProfile& layer = one.layers.front();
    for (const bool is_value : {false, true}) {
        auto& blocks = is_value ? layer.v : layer.k;
        blocks.clear();
        for (int64_t h = 0; h < layer.n_head_kv; h++) {
            const int64_t d = is_value ? profile.d_v : profile.d_k;
            Rows x = head_rows(values, is_value, h, d, layer.n_head_kv);
            KvBlock& block = blocks.emplace_back();
            block.d = d;
            block.dead = x.cwiseAbs().maxCoeff() == 0;
            if (block.dead) continue;
            const int64_t n_feature = 1 + n_features(one, 0, is_value, h);
            const Eigen::RowVectorXf mean = x.colwise().mean();
            x.rowwise() -= mean;
            set_transform(block, root_of((is_value ? metrics.v : metrics.k)[static_cast<size_t>(h)]), 1, x);
            block.log_weight.assign(static_cast<size_t>(n_feature), no_weights);
            block.weights.assign(static_cast<size_t>(n_feature * d), 0);
            derive_matrices(block);
            std::copy_n(mean.data(), d, block.predict.begin());
        }
    }
    return one;
}

/// Mean over tokens of the squared error in the profile's metric, each token by the weight that its step says.
double weighted_error(const KvProfile& one, bool is_value, const KvLayerValues& a, const KvLayerValues& b,
                      std::span<const int8_t> exponents) {
    const KvLayerProfile& layer = one.layers.front();
    const int64_t d = is_value ? one.d_v : one.d_k;
    const std::vector<float>&x = is_value ? a.v : a.k, &y = is_value ? b.v : b.k;
    const auto n = static_cast<int64_t>(x.size()) / (layer.n_head_kv * d);
    double sum = 0;
    for (int64_t h = 0; h < layer.n_head_kv; h++) {
        const KvBlock& block = (is_value ? layer.v : layer.k)[static_cast<size_t>(h)];
        if (block.dead) continue;
        const StridedRows rx(x.data() + h * d, n, d, Eigen::OuterStride<>(layer.n_head_kv * d));
        const StridedRows ry(y.data() + h * d, n, d, Eigen::OuterStride<>(layer.n_head_kv * d));
        const Rows c = (rx - ry) * Eigen::Map<const Rows>(block.forward.data(), d, d);
        for (int64_t t = 0; t < n; t++)
            sum += c.row(t).squaredNorm() * std::exp2(-0.5 * exponents[static_cast<size_t>(t * layer.n_head_kv + h)]);
    }
    return sum / static_cast<double>(n);
}

/// KL divergence per unit of weighted error in K (V) of one layer.
double measure_gain(const KvProfile& profile, const KvProfile& one, int64_t l, bool is_value, Session& session,
                    const std::vector<Probe>& probes, int n_threads) {
    double variance = 0, n = 0;
    for (const KvBlock& block : is_value ? one.layers.front().v : one.layers.front().k)
        for (const int16_t s : block.log_spread) {
            variance += std::exp2(s / 8.0);
            n++;
        }
    if (n == 0) return 1;
    double share = 0.1, gain = 1;  // of the variance that is lost to rounding
    for (int attempt = 0; attempt < 3; attempt++) {
        const auto step = static_cast<int32_t>(std::lround(8 * std::log2(12 * share * variance / n)));
        double kl = 0, error = 0;
        for (const Probe& probe : probes) {
            const Piece& piece = probe.piece.front();
            const KvLayerValues values = layer_of(piece, profile, l);
            const std::vector<int8_t> exponents =
                exponents_of(expected_attention(one, 0, values.k, positions_of(piece.state), n_threads),
                             one.layers.front().n_head_kv);
            KvLayerValues decoded;
            quantize_layer(one, 0, step, values, exponents, {}, n_threads, decoded);
            (is_value ? decoded.k : decoded.v) = is_value ? values.k : values.v;
            error += weighted_error(one, is_value, values, decoded, exponents) / static_cast<double>(probes.size());
            std::string cache = piece.cache;
            const std::span<uint8_t> bytes(reinterpret_cast<uint8_t*>(cache.data()), cache.size());
            write_layer(piece.state, heads_of(profile), l, decoded, bytes);
            kl += mean_kl(session, bytes, probe, n_threads) / static_cast<double>(probes.size());
        }
        gain = std::max(kl, 1e-7) / std::max(error, 1e-30);
        // In the range where the divergence goes with the square of the error, and is no noise of the arithmetic.
        if ((kl > 2e-5 && kl < 0.01) || (kl <= 2e-5 && share >= 2)) break;
        share = std::clamp(share * std::clamp(0.001 / std::max(kl, 1e-7), 0.01, 30.0), 1e-5, 2.0);
    }
    return gain;
}

// --- predictors, layer after layer, from what a reader will have ---

/// The decoded layers that predictions come from, all pieces.
using Decoded = std::vector<KvLayerValues>;

using DecodedBefore = std::array<Decoded, n_layers_before>;  // empty where there is no such layer

LayersBefore before_piece(const DecodedBefore& before, size_t piece) {
    LayersBefore pointers{};
    for (size_t i = 0; i < before.size(); i++) pointers[i] = before[i].empty() ? nullptr : &before[i][piece];
    return pointers;
}

Rows feature_rows(const KvProfile& profile, int64_t l, bool is_value, int64_t head, const DecodedBefore& before,
                  const Decoded& here) {
    const int64_t n_feature = 1 + n_features(profile, l, is_value, head);
    const int64_t width = profile.layers[static_cast<size_t>(l)].n_head_kv * profile.d_k;
    int64_t n = 0;
    for (const KvLayerValues& v : here) n += static_cast<int64_t>(v.k.size()) / width - n_sinks;
    Rows rows(n, n_feature);
    int64_t at = 0;
    for (size_t p = 0; p < here.size(); p++) {
        const auto count = static_cast<int64_t>(here[p].k.size()) / width;
        for (int64_t t = n_sinks; t < count; t++)
            gather_features(profile, l, is_value, head, t, before_piece(before, p), here[p], rows.row(at++).data());
    }
    return rows;
}

/// What blocks are predicted from, with its second moments. Where layers are narrow each block's features are the
/// block's before and what was decoded since, so moments are summed once.
class Features {
public:
    explicit Features(const Rows& first) : rows_(first), moments_(first.transpose() * first) {}

    void append(const Rows& more) {
        const int64_t n = rows_.cols(), m = more.cols();
        const Eigen::MatrixXf cross = rows_.transpose() * more, own = more.transpose() * more;
        rows_.conservativeResize(Eigen::NoChange, n + m);
        rows_.rightCols(m) = more;
        moments_.conservativeResize(n + m, n + m);
        moments_.topRightCorner(n, m) = cross;
        moments_.bottomLeftCorner(m, n) = cross.transpose();
        moments_.bottomRightCorner(m, m) = own;
    }

    const Rows& rows() const { return rows_; }

    /// Least squares with a small ridge, in double.
    Rows solve(const Rows& x) const {
        Eigen::MatrixXd m = moments_.cast<double>();
        for (int64_t i = 1; i < m.rows(); i++) m(i, i) = m(i, i) * (1 + predictor_ridge) + 1e-12;
        const Eigen::MatrixXf right = rows_.transpose() * x;
        return m.ldlt().solve(right.cast<double>()).cast<float>();
    }

    double mean_square(int64_t i) const { return double{moments_(i, i)} / static_cast<double>(rows_.rows()); }

private:
    Rows rows_;
    Eigen::MatrixXf moments_;
};

struct Step {
    KvProfile& profile;
    int64_t layer;
    const LayerMetrics& metrics;
    std::array<double, 2> gain;
    const Decoded& values;
    const DecodedBefore& before;
    const std::vector<std::vector<int8_t>>& exponents;  // [n_pieces]
    int n_threads;
};

/// Weights as whole numbers: each feature may add the same share of the noise that is allowed. Errors of features that
/// vary much count more, so their rows have finer steps.
void set_weights(KvBlock& block, const Rows& predict, const Features& f, int32_t step) {
    const Rows w = predict * Eigen::Map<const Rows>(block.forward.data(), block.d, block.d);
    const double noise = weight_noise * std::exp2(step / 16.0) / std::sqrt(static_cast<double>(w.rows()));
    block.log_weight.assign(static_cast<size_t>(w.rows()), no_weights);
    block.weights.assign(static_cast<size_t>(w.size()), 0);
    for (int64_t i = 0; i < w.rows(); i++) {
        if (!(f.mean_square(i) > 1e-20)) continue;  // a dead head's
        const double wanted = std::floor(16 * std::log2(noise / std::sqrt(f.mean_square(i))));
        block.log_weight[static_cast<size_t>(i)] = static_cast<int16_t>(std::clamp(wanted, -1600.0, 1600.0));
        const double unit = std::exp2(block.log_weight[static_cast<size_t>(i)] / 16.0);
        for (int64_t j = 0; j < block.d; j++)
            block.weights[static_cast<size_t>(i * block.d + j)] =
                static_cast<int32_t>(std::lround(std::clamp(w(i, j) / unit, -1e9, 1e9)));
    }
}

/// Spreads as they are, rounded weights and all.
void set_spreads(KvBlock& block, const Rows& coefficients) {
    for (int64_t i = 0; i < block.d; i++) {
        const double variance = coefficients.col(i).squaredNorm() / static_cast<double>(coefficients.rows());
        block.log_spread[static_cast<size_t>(i)] =
            static_cast<int16_t>(std::lround(8 * std::log2(std::max(variance, 1e-24))));
    }
}

/// What a reader would have of one head's K or V.
void decode_block(const Step& s, bool is_value, int64_t h, const Rows& f, const Rows& x, KvBlock& block,
                  Decoded& here) {
    const int64_t d = block.d, n_kv = s.profile.layers[static_cast<size_t>(s.layer)].n_head_kv;
    const Eigen::Map<const Rows> predict(block.predict.data(), f.cols(), d), forward(block.forward.data(), d, d),
        inverse(block.inverse.data(), d, d);
    Rows predicted = f * predict;
    Rows c = (x - predicted) * forward;
    set_spreads(block, c);
    int64_t row = 0;
    for (size_t p = 0; p < here.size(); p++) {
        const auto n = static_cast<int64_t>(s.exponents[p].size()) / n_kv;
        for (int64_t t = n_sinks; t < n; t++, row++) {
            const float step = std::exp2(
                static_cast<float>(s.profile.step + 4 * s.exponents[p][static_cast<size_t>(t * n_kv + h)]) / 16);
            c.row(row) =
                (c.row(row).array().abs() / step + 0.5F - dead_zone).floor() * c.row(row).array().sign() * step;
        }
    }
    predicted += c * inverse;
    row = 0;
    for (size_t p = 0; p < here.size(); p++) {
        std::vector<float>& out = is_value ? here[p].v : here[p].k;
        const auto n = static_cast<int64_t>(s.exponents[p].size()) / n_kv;
        for (int64_t t = n_sinks; t < n; t++, row++)
            std::copy_n(predicted.row(row).data(), d, out.data() + (t * n_kv + h) * d);
    }
}

void fit_block(const Step& s, bool is_value, int64_t h, const Features& f, Decoded& here) {
    KvLayerProfile& layer = s.profile.layers[static_cast<size_t>(s.layer)];
    const int64_t d = is_value ? s.profile.d_v : s.profile.d_k;
    const Rows x = head_rows(s.values, is_value, h, d, layer.n_head_kv);
    KvBlock block;
    block.d = d;
    block.dead = x.cwiseAbs().maxCoeff() == 0;
    if (!block.dead) {
        const Rows predict = f.solve(x);
        set_transform(block, root_of((is_value ? s.metrics.v : s.metrics.k)[static_cast<size_t>(h)]),
                      s.gain[is_value ? 1 : 0], x - f.rows() * predict);
        if (!derive_matrices(block))
            throw UsageError(
                fmt::format("layer {}, head {} of {}: its transform has no inverse; the lossy codec can't "
                            "work on this model: pack without --kl and --ratio",
                            s.layer, h, s.profile.model_name));
        set_weights(block, predict, f, s.profile.step);
        derive_matrices(block);
        decode_block(s, is_value, h, f.rows(), x, block, here);
    }
    (is_value ? layer.v : layer.k).push_back(std::move(block));
}

void fit_blocks(const Step& s, Decoded& here) {
    const int64_t n_head_kv = s.profile.layers[static_cast<size_t>(s.layer)].n_head_kv;
    const bool wide = s.profile.wide();
    Features f(feature_rows(s.profile, s.layer, false, 0, s.before, here));
    for (const bool is_value : {false, true})
        for (int64_t h = 0; h < n_head_kv; h++) {
            if (wide && (is_value || h > 0))
                f = Features(feature_rows(s.profile, s.layer, is_value, h, s.before, here));
            fit_block(s, is_value, h, f, here);
            if (!wide) f.append(head_rows(here, is_value, h, is_value ? s.profile.d_v : s.profile.d_k, n_head_kv));
        }
}

/// Statistics of the bits, from coding the calibration text itself.
void fit_statistics(const Step& s, Decoded& here) {
    KvLayerProfile& layer = s.profile.layers[static_cast<size_t>(s.layer)];
    int64_t n_coefficients = 0;
    for (const auto* blocks : {&layer.k, &layer.v})
        for (const KvBlock& block : *blocks) n_coefficients += static_cast<int64_t>(block.log_spread.size());
    layer.model = CoefficientModel(layer.n_head_kv, n_coefficients);
    for (size_t p = 0; p < here.size(); p++) {
        const LayerCodes codes = quantize_layer(s.profile, s.layer, s.profile.step, s.values[p], s.exponents[p],
                                                before_piece(s.before, p), s.n_threads, here[p]);
        write_codes(codes, s.profile.step, layer.model);
    }
}

}  // namespace

KvProfile calibrate_kv_profile(const Model& model, const CalibrationText& text, const KvProfileOptions& options,
                               const Progress& progress) {
    KvProfile profile = empty_profile(model, options);
    const int n_threads = options.n_threads > 0 ? options.n_threads : default_threads();
    const Source source(model);
    const CalibrationChunks all = cut_into_chunks(model, text.text, options.n_ctx);
    const Chunks chunks = spread_chunks(all.statistics, options.n_chunks);
    SessionOptions session_options;
    session_options.n_ctx = 2;
    session_options.n_threads = n_threads;
    session_options.mapped = true;
    Session session(model, session_options);
    profile.rope = rope_of_model(model, llama_model_rope_type(session.impl().model.get()));
    profile.model_sha256 = cached_sha256_of_file(model.files.front(), progress);
    profile.text_sha256 = text.sha256;
    profile.n_tokens = static_cast<int64_t>(chunks.size()) * options.n_ctx;
    QueryReader reader(session, options.n_ctx, n_threads);
    const std::vector<Piece> pieces = read_pieces(model, reader, chunks, profile, progress);
    const std::vector<Probe> probes = make_probes(model, reader, chunks, profile, options);

    int64_t n_coefficients = 0;
    for (const KvLayerProfile& layer : profile.layers) n_coefficients += layer.n_head_kv * (profile.d_k + profile.d_v);
    profile.step =
        static_cast<int32_t>(std::lround(8 * std::log2(12 * own_divergence / static_cast<double>(n_coefficients))));

    Dice dice;
    DecodedBefore before;
    for (int64_t l = 0; l < model.n_layer; l++) {
        if (progress) progress("kv profile: layer", l, model.n_layer);
        const LayerMetrics metrics = layer_metrics(source, pieces, profile, l, dice);
        keep_queries(pieces, profile, l);
        Decoded values;
        for (const Piece& piece : pieces) values.push_back(layer_of(piece, profile, l));
        const KvProfile one = alone(profile, l, metrics, values);
        std::vector<std::vector<int8_t>> exponents;
        for (size_t p = 0; p < pieces.size(); p++)
            exponents.push_back(
                exponents_of(expected_attention(one, 0, values[p].k, positions_of(pieces[p].state), n_threads),
                             one.layers.front().n_head_kv));
        Step step{profile, l, metrics, {}, values, before, exponents, n_threads};
        for (const bool is_value : {false, true})
            step.gain[is_value ? 1 : 0] = measure_gain(profile, one, l, is_value, reader.session(), probes, n_threads);
        Decoded here = values;  // sinks stay as they are
        fit_blocks(step, here);
        fit_statistics(step, here);
        std::rotate(before.begin(), before.end() - 1, before.end());
        before.front() = std::move(here);
    }
    // As it will be read: what is packed with a fresh profile must unpack with the stored one.
    return parse_kv_profile(serialized(profile), model.name);
}

}  // namespace ech0
