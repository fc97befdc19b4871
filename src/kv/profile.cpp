#include "kv/profile.h"

#include <fmt/format.h>
#include <ggml.h>

#include <Eigen/Dense>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/sha256.h"
#include "ech0/error.h"
#include "kv/number_code.h"

namespace ech0 {
namespace {

constexpr std::string_view magic = "ech0kvp2";
constexpr int64_t widest_predicted =
    1024;  // K and V of a layer together; wider ones would need gigabytes of predictors

class Out {
public:
    std::string bytes;
    template <class T>
    void number(T value) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(std::string_view s) {
        number(static_cast<uint64_t>(s.size()));
        bytes.append(s);
    }
    template <class T>
    void list(const std::vector<T>& v) {
        number(static_cast<uint64_t>(v.size()));
        bytes.append(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(T));
    }
    /// A scale, then halves of at most 1.
    void matrix(const std::vector<float>& m) {
        float most = 0;
        for (const float x : m) most = std::max(most, std::abs(x));
        number(most);
        number(static_cast<uint64_t>(m.size()));
        for (const float x : m) number(ggml_fp32_to_fp16(most > 0 ? x / most : 0));
    }
};

class In {
public:
    In(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}
    template <class T>
    T number() {
        need(sizeof(T), 1);
        T value;
        std::memcpy(&value, bytes_.data(), sizeof value);
        bytes_.remove_prefix(sizeof value);
        return value;
    }
    std::string_view text() {
        const auto n = number<uint64_t>();
        need(1, n);
        const std::string_view s = bytes_.substr(0, n);
        bytes_.remove_prefix(n);
        return s;
    }
    template <class T>
    std::vector<T> list() {
        const auto n = number<uint64_t>();
        need(sizeof(T), n);
        std::vector<T> v(n);
        if (n > 0) std::memcpy(v.data(), bytes_.data(), n * sizeof(T));
        bytes_.remove_prefix(n * sizeof(T));
        return v;
    }
    std::vector<float> matrix() {
        const auto most = number<float>();
        const std::vector<ggml_fp16_t> halves = list<ggml_fp16_t>();
        std::vector<float> m(halves.size());
        for (size_t i = 0; i < m.size(); i++) m[i] = ggml_fp16_to_fp32(halves[i]) * most;
        if (!std::isfinite(most) || !std::all_of(m.begin(), m.end(), [](float x) { return std::isfinite(x); }))
            fail("a matrix has numbers that are none");
        return m;
    }
    bool at_end() const { return bytes_.empty(); }
    [[noreturn]] void fail(std::string_view what) const {
        throw FormatError(fmt::format("{}: {}; make it again: ech0 kv profile", name_, what));
    }

private:
    void need(uint64_t size, uint64_t n) const {
        if (n > bytes_.size() / size) fail("a KV profile that ends too early");
    }
    std::string_view bytes_, name_;
};

/// How large the weights of each coefficient were of late, and those just before in the row.
class WeightSizes {
public:
    explicit WeightSizes(int64_t d) : columns_(static_cast<size_t>(d)) {}
    int64_t near(int64_t j) const {
        return columns_[static_cast<size_t>(j)].times_four() / 2 + (j == 0 ? 0 : last_) + (j < 2 ? 0 : one_before_);
    }
    void add(int64_t j, int32_t weight) {
        columns_[static_cast<size_t>(j)].add(weight);
        one_before_ = last_;
        last_ = std::abs(int64_t{weight});
    }

private:
    std::vector<RecentMagnitude> columns_;
    int64_t last_ = 0, one_before_ = 0;
};

void put(Out& out, const KvBlock& block) {
    out.number(block.d);
    out.number(static_cast<uint8_t>(block.dead));
    out.matrix(block.inverse);
    out.list(block.log_spread);
    out.list(block.log_weight);
    NumberWriter coder;
    WeightSizes sizes(block.d);
    for (size_t i = 0; i < block.log_weight.size(); i++) {
        if (block.log_weight[i] == no_weights) continue;
        for (int64_t j = 0; j < block.d; j++) {
            const int32_t w = block.weights[i * static_cast<size_t>(block.d) + static_cast<size_t>(j)];
            coder.put(w, sizes.near(j));
            sizes.add(j, w);
        }
    }
    out.text(coder.finish());
}

KvBlock get_block(In& in, int64_t d, int64_t n_feature) {
    KvBlock block;
    block.d = in.number<int64_t>();
    block.dead = in.number<uint8_t>() != 0;
    block.inverse = in.matrix();
    block.log_spread = in.list<int16_t>();
    block.log_weight = in.list<int16_t>();
    const std::string_view coded = in.text();
    const auto live = static_cast<size_t>(block.dead ? 0 : d);
    if (block.d != d || block.inverse.size() != live * live || block.log_spread.size() != live ||
        block.log_weight.size() != (block.dead ? 0 : static_cast<size_t>(n_feature + 1)))
        in.fail("a block whose matrices have other shapes than its heads");
    NumberReader coder(bytes_of(coded));
    WeightSizes sizes(d);
    block.weights.resize(block.log_weight.size() * live);
    for (size_t i = 0; i < block.log_weight.size(); i++) {
        if (block.log_weight[i] == no_weights) continue;
        for (int64_t j = 0; j < d; j++) {
            const int32_t w = coder.get(sizes.near(j));
            sizes.add(j, w);
            block.weights[i * live + static_cast<size_t>(j)] = w;
        }
        if (coder.overrun()) in.fail("weights that end too early");
    }
    if (!derive_matrices(block)) in.fail("a matrix that has no inverse");
    return block;
}

void put_queries(Out& out, const KvLayerProfile& layer, int64_t n_queries, int64_t d) {
    out.list(layer.log_query);
    NumberWriter coder;
    for (size_t h = 0; h < layer.log_query.size(); h++) {
        const float step = std::exp2(static_cast<float>(layer.log_query[h]) / 16);
        std::vector<RecentMagnitude> sizes(static_cast<size_t>(d));
        for (int64_t i = 0; i < n_queries * d; i++) {
            const auto q = static_cast<int32_t>(
                std::lround(layer.queries[h * static_cast<size_t>(n_queries * d) + static_cast<size_t>(i)] / step));
            RecentMagnitude& size = sizes[static_cast<size_t>(i % d)];
            coder.put(q, size.times_four());
            size.add(q);
        }
    }
    out.text(coder.finish());
}

void get_queries(In& in, KvLayerProfile& layer, int64_t n_queries, int64_t d) {
    layer.log_query = in.list<int16_t>();
    if (layer.log_query.size() != static_cast<size_t>(layer.n_head))
        in.fail("a layer's lists have other lengths than its heads");
    const std::string_view coded = in.text();
    NumberReader coder(bytes_of(coded));
    for (const int16_t log_step : layer.log_query) {
        const float step = std::exp2(static_cast<float>(log_step) / 16);
        std::vector<RecentMagnitude> sizes(static_cast<size_t>(d));
        for (int64_t i = 0; i < n_queries * d; i++) {
            RecentMagnitude& size = sizes[static_cast<size_t>(i % d)];
            const int32_t q = coder.get(size.times_four());
            size.add(q);
            layer.queries.push_back(static_cast<float>(q) * step);
        }
        if (coder.overrun()) in.fail("queries that end too early");
    }
}

void put(Out& out, const KvLayerProfile& layer, const KvProfile& profile) {
    out.number(layer.n_head);
    out.number(layer.n_head_kv);
    for (const KvBlock& block : layer.k) put(out, block);
    for (const KvBlock& block : layer.v) put(out, block);
    out.list(layer.usual_attention);
    put_queries(out, layer, profile.n_queries, profile.d_k);
    out.text(layer.model.serialized());
}

void get_layer(In& in, KvProfile& profile, size_t l) {
    KvLayerProfile& layer = profile.layers[l];
    layer.n_head = in.number<int64_t>();
    layer.n_head_kv = in.number<int64_t>();
    if (layer.n_head_kv < 1 || layer.n_head_kv > 4096 || layer.n_head < layer.n_head_kv || layer.n_head > 65536)
        in.fail("a layer with an impossible number of heads");
    int64_t n_coefficients = 0;
    for (const bool is_value : {false, true})
        for (int64_t h = 0; h < layer.n_head_kv; h++) {
            auto& blocks = is_value ? layer.v : layer.k;
            blocks.push_back(get_block(in, is_value ? profile.d_v : profile.d_k,
                                       n_features(profile, static_cast<int64_t>(l), is_value, h)));
            n_coefficients += static_cast<int64_t>(blocks.back().log_spread.size());
        }
    layer.usual_attention = in.list<float>();
    get_queries(in, layer, profile.n_queries, profile.d_k);
    if (layer.usual_attention.size() != static_cast<size_t>(layer.n_head_kv))
        in.fail("a layer's lists have other lengths than its heads");
    layer.model = CoefficientModel::parse(in.text(), layer.n_head_kv, n_coefficients);
}

}  // namespace

bool KvProfile::wide() const {
    int64_t widest = 0;
    for (const KvLayerProfile& layer : layers) widest = std::max(widest, layer.n_head_kv * (d_k + d_v));
    return widest > widest_predicted;
}

int64_t n_features(const KvProfile& profile, int64_t layer, bool is_value, int64_t head) {
    const KvLayerProfile& here = profile.layers[static_cast<size_t>(layer)];
    const bool wide = profile.wide();
    int64_t n = 0;
    for (int64_t back = 1; back <= std::min(layer, n_layers_before); back++) {
        const KvLayerProfile& before = profile.layers[static_cast<size_t>(layer - back)];
        if (!wide)
            n += before.n_head_kv * (profile.d_k + profile.d_v);
        else if (head < before.n_head_kv)
            n += profile.d_k + profile.d_v;
    }
    if (is_value) n += wide ? profile.d_k : here.n_head_kv * profile.d_k;
    if (!wide) n += head * (is_value ? profile.d_v : profile.d_k);
    return n;
}

void round_halves(std::vector<float>& matrix) {
    Out out;
    out.matrix(matrix);
    matrix = In(out.bytes, "").matrix();
}

bool derive_matrices(KvBlock& block) {
    using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto n = static_cast<int64_t>(block.log_weight.size()), d = block.dead ? 0 : block.d;
    if (block.dead) return true;
    const Eigen::Map<const Rows> inverse(block.inverse.data(), d, d);
    const Rows forward = inverse.cast<double>().eval().inverse().cast<float>();
    Rows weights(n, d);
    for (int64_t i = 0; i < n; i++) {
        const int16_t log_weight = block.log_weight[static_cast<size_t>(i)];
        const float scale = log_weight == no_weights ? 0 : std::exp2(static_cast<float>(log_weight) / 16);
        for (int64_t j = 0; j < d; j++)
            weights(i, j) = static_cast<float>(block.weights[static_cast<size_t>(i * d + j)]) * scale;
    }
    const Rows predict = weights * inverse;
    block.forward.assign(forward.data(), forward.data() + forward.size());
    block.predict.assign(predict.data(), predict.data() + predict.size());
    return forward.allFinite() && predict.allFinite();
}

std::string serialized(const KvProfile& profile) {
    Out out;
    out.bytes = magic;
    out.text(profile.model_sha256);
    out.text(profile.model_name);
    out.text(profile.text_sha256);
    for (const int64_t n : {profile.n_tokens, profile.n_ctx, profile.d_k, profile.d_v, profile.n_queries})
        out.number(n);
    out.number(profile.step);
    out.number(static_cast<uint32_t>(profile.rope.kind));
    out.number(profile.rope.n_rot);
    out.number(profile.rope.base);
    out.number(profile.rope.scale);
    out.list(profile.rope.factors);
    out.number(static_cast<uint64_t>(profile.layers.size()));
    // Shapes before matrices: what a block is predicted from depends on the layer before.
    for (const KvLayerProfile& layer : profile.layers) out.number(layer.n_head_kv);
    for (const KvLayerProfile& layer : profile.layers) put(out, layer, profile);
    out.bytes += sha256(out.bytes);
    return std::move(out.bytes);
}

KvProfile parse_kv_profile(std::string_view bytes, std::string_view name) {
    constexpr size_t hash_size = 64;
    In in(bytes.substr(std::min(bytes.size(), magic.size())), name);
    if (!bytes.starts_with(magic)) in.fail("not a KV profile of this version");
    if (bytes.size() < magic.size() + hash_size ||
        sha256(bytes.substr(0, bytes.size() - hash_size)) != bytes.substr(bytes.size() - hash_size))
        in.fail("a damaged KV profile: its hash is another");
    in = In(bytes.substr(magic.size(), bytes.size() - magic.size() - hash_size), name);
    KvProfile profile;
    profile.model_sha256 = in.text();
    profile.model_name = in.text();
    profile.text_sha256 = in.text();
    for (int64_t* n : {&profile.n_tokens, &profile.n_ctx, &profile.d_k, &profile.d_v, &profile.n_queries})
        *n = in.number<int64_t>();
    profile.step = in.number<int32_t>();
    profile.rope.kind = static_cast<Rope::Kind>(in.number<uint32_t>());
    profile.rope.n_rot = in.number<int64_t>();
    profile.rope.base = in.number<double>();
    profile.rope.scale = in.number<double>();
    profile.rope.factors = in.list<float>();
    const auto n_layer = in.number<uint64_t>();
    if (n_layer < 1 || n_layer > 4096 || profile.d_k < 1 || profile.d_k > 4096 || profile.d_v < 1 ||
        profile.d_v > 4096 || profile.n_queries < 1 || profile.n_queries > 65536 || profile.rope.n_rot < 0 ||
        profile.rope.n_rot > profile.d_k)
        in.fail("impossible shapes");
    profile.layers.resize(n_layer);
    for (KvLayerProfile& layer : profile.layers) {
        layer.n_head_kv = in.number<int64_t>();
        if (layer.n_head_kv < 1 || layer.n_head_kv > 4096) in.fail("impossible shapes");
    }
    for (size_t l = 0; l < n_layer; l++) get_layer(in, profile, l);
    if (!in.at_end()) in.fail("bytes beyond its end");
    return profile;
}

}  // namespace ech0
