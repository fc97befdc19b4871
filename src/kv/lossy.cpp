#include "kv/lossy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/bytes.h"
#include "base/parallel.h"
#include "ech0/error.h"
#include "kv/attention.h"
#include "kv/layer_transform.h"
#include "kv/values.h"

namespace ech0 {
namespace {

KvHeads heads_of(const KvProfile& profile) { return {profile.rope, profile.d_k, profile.d_v}; }

// Steps are searched within this many sixteenths of an octave around the profile's own.
constexpr int32_t finest = -128, coarsest = 128;

/// The decoded layers behind the one at work.
class Behind {
public:
    LayersBefore layers() const {
        LayersBefore before{};
        for (size_t i = 0; i < n_; i++) before[i] = &values_[i];
        return before;
    }
    void push(KvLayerValues&& values) {
        std::rotate(values_.begin(), values_.end() - 1, values_.end());
        values_.front() = std::move(values);
        n_ = std::min(n_ + 1, values_.size());
    }

private:
    std::array<KvLayerValues, n_layers_before> values_;
    size_t n_ = 0;
};

}  // namespace

int64_t LossyCache::size_bytes() const {
    int64_t n = 0;
    for (const std::string& layer : layers) n += static_cast<int64_t>(layer.size());
    return n;
}

void check_lossy(const KvState& state, const KvProfile& profile, std::string_view name) {
    require_plain_cache(state, name);
    const KvStream& stream = state.caches[0].streams[0];
    if (stream.k.size() != profile.layers.size())
        throw UsageError(fmt::format("{}: a cache of {} layers; the KV profile is of {}, which has {}", name,
                                     stream.k.size(), profile.model_name, profile.layers.size()));
    for (size_t l = 0; l < stream.k.size(); l++) {
        const int64_t n = profile.layers[l].n_head_kv;
        if (stream.k[l].n_elements != n * profile.d_k || stream.v[l].n_elements != n * profile.d_v)
            throw UsageError(
                fmt::format("{}: layer {} has {} and {} numbers a token in K and V; the KV profile is of {}, which "
                            "has {} and {}",
                            name, l, stream.k[l].n_elements, stream.v[l].n_elements, profile.model_name,
                            n * profile.d_k, n * profile.d_v));
    }
}

LossyCache pack_lossy(const KvProfile& profile, const KvState& state, std::span<const uint8_t> bytes, int32_t step,
                      int n_threads) {
    LossyCache cache;
    cache.step = step;
    const auto n_layer = static_cast<int64_t>(profile.layers.size());
    const std::vector<int32_t> pos = positions_of(state);
    std::vector<LayerCodes> codes(profile.layers.size());
    Behind behind;
    for (int64_t l = 0; l < n_layer; l++) {
        const KvLayerValues values = read_layer(state, bytes, heads_of(profile), l);
        std::vector<int8_t> exponents = exponents_of(expected_attention(profile, l, values.k, pos, n_threads),
                                                     profile.layers[static_cast<size_t>(l)].n_head_kv);
        KvLayerValues decoded;
        codes[static_cast<size_t>(l)] =
            quantize_layer(profile, l, step, values, std::move(exponents), behind.layers(), n_threads, decoded);
        behind.push(std::move(decoded));
    }
    cache.layers.resize(profile.layers.size());
    parallel_for(n_layer, n_threads, [&](int64_t l) {
        const auto at = static_cast<size_t>(l);
        CoefficientModel model = profile.layers[at].model;
        cache.layers[at] = write_codes(codes[at], step, model);
    });
    return cache;
}

void unpack_lossy(const KvProfile& profile, const KvState& state, const LossyCache& cache, int n_threads,
                  std::span<uint8_t> bytes) {
    const auto n_layer = static_cast<int64_t>(profile.layers.size());
    if (cache.layers.size() != profile.layers.size())
        throw FormatError(fmt::format("{} layers of coefficients, wanted {}", cache.layers.size(), n_layer));
    const auto n_tokens = static_cast<int64_t>(positions_of(state).size());
    std::vector<LayerCodes> codes(profile.layers.size());
    parallel_for(n_layer, n_threads, [&](int64_t l) {
        const auto at = static_cast<size_t>(l);
        codes[at] = codes_of_layer(profile, l, n_tokens);
        const std::string& coded = cache.layers[at];
        try {
            read_codes(bytes_of(coded), cache.step, profile.layers[at].model, codes[at]);
        } catch (Error& e) {
            e.add_context(fmt::format("layer {}", l));
            throw;
        }
    });
    Behind behind;
    for (int64_t l = 0; l < n_layer; l++) {
        KvLayerValues decoded =
            restore_layer(profile, l, cache.step, codes[static_cast<size_t>(l)], behind.layers(), n_threads);
        write_layer(state, heads_of(profile), l, decoded, bytes);
        behind.push(std::move(decoded));
    }
}

LossyCache pack_lossy_to_size(const KvProfile& profile, const KvState& state, std::span<const uint8_t> bytes,
                              int64_t wanted_bytes, int n_threads) {
    // The size falls with the step: lowest step that is small enough.
    int32_t low = profile.step + finest, high = profile.step + coarsest;
    LossyCache best = pack_lossy(profile, state, bytes, high, n_threads);
    if (best.size_bytes() > wanted_bytes)
        throw UsageError(fmt::format(
            "{} bytes are the least that the coarsest step gives, {} were wanted; ask for a smaller --ratio",
            best.size_bytes(), wanted_bytes));
    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        LossyCache tried = pack_lossy(profile, state, bytes, middle, n_threads);
        if (tried.size_bytes() <= wanted_bytes) {
            high = middle;
            best = std::move(tried);
        } else {
            low = middle;
        }
    }
    return best;
}

LossyCache pack_lossy_to_divergence(const KvProfile& profile, const KvState& state, std::span<const uint8_t> bytes,
                                    double most, int n_threads,
                                    const std::function<double(std::span<const uint8_t>)>& measure) {
    std::vector<uint8_t> restored(bytes.begin(), bytes.end());
    const auto divergence = [&](const LossyCache& cache) {
        unpack_lossy(profile, state, cache, n_threads, restored);
        return measure(restored);
    };
    // The divergence goes nearly with the square of the step: a secant in logarithms, then steps down until it holds.
    int32_t step = profile.step;
    LossyCache cache = pack_lossy(profile, state, bytes, step, n_threads);
    double kl = divergence(cache);
    for (int attempt = 0; attempt < 3; attempt++) {
        const double off = 8 * std::log2(most / std::max(kl, 1e-9));
        const int32_t next =
            std::clamp(step + static_cast<int32_t>(std::floor(off)), profile.step + finest, profile.step + coarsest);
        if (next == step) break;
        LossyCache tried = pack_lossy(profile, state, bytes, next, n_threads);
        const double tried_kl = divergence(tried);
        if (tried_kl > most && kl <= most) break;
        step = next;
        cache = std::move(tried);
        kl = tried_kl;
    }
    for (; kl > most; kl = divergence(cache)) {
        if (step <= profile.step + finest)
            throw UsageError(fmt::format(
                "a KL divergence of {} is not reached: {} at the finest step; pack without loss", most, kl));
        step -= 4;
        cache = pack_lossy(profile, state, bytes, step, n_threads);
    }
    return cache;
}

}  // namespace ech0
