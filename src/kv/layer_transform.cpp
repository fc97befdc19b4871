#include "kv/layer_transform.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Rows>;

// Rows are always taken by this many, so that sums are formed alike with any number of threads.
constexpr int64_t rows_at_once = 64;

struct Job {
    const KvProfile& profile;
    int64_t layer;
    int32_t step;
    const LayersBefore& before;
    const KvLayerValues* original;  // null: restore
    LayerCodes& codes;
    KvLayerValues& decoded;

    const KvLayerProfile& p() const { return profile.layers[static_cast<size_t>(layer)]; }
};

/// One block of one row of coefficients: c becomes what k stands for.
void round_row(const Job& job, int32_t offset, const KvBlock& block, float* c, int32_t* k) {
    const float step = std::exp2(static_cast<float>(job.step + offset) / 16);
    for (int64_t i = 0; i < block.d; i++) {
        if (job.original != nullptr) {
            const float a = std::min(std::abs(c[i]) / step, 8e6F);
            const auto n = static_cast<int32_t>(a + 0.5F - dead_zone);
            k[i] = c[i] < 0 ? -n : n;
        }
        c[i] = static_cast<float>(k[i]) * step;
    }
}

void code_block(const Job& job, bool is_value, int64_t head, int64_t first, int64_t n, Rows& features) {
    const KvLayerProfile& p = job.p();
    const KvBlock& block = (is_value ? p.v : p.k)[static_cast<size_t>(head)];
    if (block.dead) return;
    const int64_t d = block.d, width = p.n_head_kv * d;
    const int64_t n_feature = 1 + n_features(job.profile, job.layer, is_value, head);
    features.resize(n, n_feature);
    for (int64_t r = 0; r < n; r++)
        gather_features(job.profile, job.layer, is_value, head, first + r, job.before, job.decoded,
                        features.row(r).data());
    Rows predicted = features * ConstMap(block.predict.data(), n_feature, d);
    Rows c(n, d);
    if (job.original != nullptr) {
        const float* x = (is_value ? job.original->v : job.original->k).data() + first * width + head * d;
        const Rows residual =
            Eigen::Map<const Rows, 0, Eigen::OuterStride<>>(x, n, d, Eigen::OuterStride<>(width)) - predicted;
        c = residual * ConstMap(block.forward.data(), d, d);
    }
    int32_t* k = job.codes.k[static_cast<size_t>(head + (is_value ? p.n_head_kv : 0))].data() + first * d;
    for (int64_t r = 0; r < n; r++) {
        const int32_t offset = 4 * job.codes.exponents[static_cast<size_t>((first + r) * p.n_head_kv + head)];
        round_row(job, offset, block, c.row(r).data(), k + r * d);
    }
    predicted += c * ConstMap(block.inverse.data(), d, d);
    float* out = (is_value ? job.decoded.v : job.decoded.k).data() + first * width + head * d;
    for (int64_t r = 0; r < n; r++) std::copy_n(predicted.row(r).data(), d, out + r * width);
}

void code_layer(const Job& job, int n_threads) {
    const KvLayerProfile& p = job.p();
    const int64_t n = job.codes.n_tokens;
    job.decoded.k.assign(static_cast<size_t>(n * p.n_head_kv * job.profile.d_k), 0);
    job.decoded.v.assign(static_cast<size_t>(n * p.n_head_kv * job.profile.d_v), 0);
    parallel_for((n + rows_at_once - 1) / rows_at_once, n_threads, [&](int64_t chunk) {
        const int64_t first = chunk * rows_at_once, count = std::min(rows_at_once, n - first);
        Rows features;
        for (const bool is_value : {false, true})
            for (int64_t h = 0; h < p.n_head_kv; h++) code_block(job, is_value, h, first, count, features);
    });
}

void require_dead_are_dead(const Job& job) {
    const KvLayerProfile& p = job.p();
    for (const bool is_value : {false, true}) {
        const std::vector<float>& x = is_value ? job.original->v : job.original->k;
        for (int64_t h = 0; h < p.n_head_kv; h++) {
            const KvBlock& block = (is_value ? p.v : p.k)[static_cast<size_t>(h)];
            if (!block.dead) continue;
            for (int64_t t = 0; t < job.codes.n_tokens; t++)
                for (int64_t i = 0; i < block.d; i++)
                    if (x[static_cast<size_t>((t * p.n_head_kv + h) * block.d + i)] != 0)
                        throw UsageError(
                            fmt::format("layer {}, head {}: the profile knows only zeros there; it is another "
                                        "model's, or make it again with more text: ech0 kv profile",
                                        job.layer, h));
        }
    }
}

}  // namespace

void gather_features(const KvProfile& profile, int64_t layer, bool is_value, int64_t head, int64_t row,
                     const LayersBefore& before, const KvLayerValues& here, float* out) {
    const int64_t n_kv = profile.layers[static_cast<size_t>(layer)].n_head_kv, dk = profile.d_k, dv = profile.d_v;
    const auto put = [&](const std::vector<float>& from, int64_t width, int64_t begin, int64_t n) {
        out = std::copy_n(from.data() + row * width + begin, n, out);
    };
    *out++ = 1;
    const bool wide = profile.wide();
    for (int64_t back = 1; back <= std::min(layer, n_layers_before); back++) {
        const int64_t n = profile.layers[static_cast<size_t>(layer - back)].n_head_kv;
        const KvLayerValues& from = *before[static_cast<size_t>(back - 1)];
        if (!wide) {
            put(from.k, n * dk, 0, n * dk);
            put(from.v, n * dv, 0, n * dv);
        } else if (head < n) {
            put(from.k, n * dk, head * dk, dk);
            put(from.v, n * dv, head * dv, dv);
        }
    }
    if (is_value && wide) put(here.k, n_kv * dk, head * dk, dk);
    if (is_value && !wide) put(here.k, n_kv * dk, 0, n_kv * dk);
    if (wide) return;
    if (is_value)
        put(here.v, n_kv * dv, 0, head * dv);
    else
        put(here.k, n_kv * dk, 0, head * dk);
}

LayerCodes codes_of_layer(const KvProfile& profile, int64_t layer, int64_t n_tokens) {
    const KvLayerProfile& p = profile.layers[static_cast<size_t>(layer)];
    LayerCodes codes;
    codes.n_tokens = n_tokens;
    codes.n_head = p.n_head_kv;
    for (const auto* blocks : {&p.k, &p.v})
        for (const KvBlock& block : *blocks) {
            codes.widths.push_back(static_cast<int64_t>(block.log_spread.size()));
            codes.log_spread.insert(codes.log_spread.end(), block.log_spread.begin(), block.log_spread.end());
            codes.k.emplace_back(static_cast<size_t>(n_tokens * codes.widths.back()));
        }
    return codes;
}

LayerCodes quantize_layer(const KvProfile& profile, int64_t layer, int32_t step, const KvLayerValues& values,
                          std::vector<int8_t> exponents, const LayersBefore& before, int n_threads,
                          KvLayerValues& decoded) {
    const KvLayerProfile& p = profile.layers[static_cast<size_t>(layer)];
    LayerCodes codes =
        codes_of_layer(profile, layer, static_cast<int64_t>(values.k.size()) / (p.n_head_kv * profile.d_k));
    codes.exponents = std::move(exponents);
    const Job job{profile, layer, step, before, &values, codes, decoded};
    require_dead_are_dead(job);
    code_layer(job, n_threads);
    return codes;
}

KvLayerValues restore_layer(const KvProfile& profile, int64_t layer, int32_t step, const LayerCodes& codes,
                            const LayersBefore& before, int n_threads) {
    KvLayerValues decoded;
    LayerCodes unchanged = codes;
    code_layer(Job{profile, layer, step, before, nullptr, unchanged, decoded}, n_threads);
    return decoded;
}

}  // namespace ech0
