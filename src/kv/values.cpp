#include "kv/values.h"

#include <fmt/format.h>
#include <ggml.h>

#include <cmath>
#include <cstring>

#include "ech0/error.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

std::vector<float> read_tensor(const KvTensor& t, int64_t n_cells, std::span<const uint8_t> bytes) {
    std::vector<float> x(static_cast<size_t>(n_cells * t.n_elements));
    const uint8_t* data = bytes.data() + t.offset_bytes;
    const auto type = static_cast<ggml_type>(t.type);
    if (!t.transposed) {
        to_float(type, data, x.data(), n_cells * t.n_elements);
        return x;
    }
    std::vector<float> column(static_cast<size_t>(n_cells));
    for (int64_t j = 0; j < t.n_elements; j++) {
        to_float(type, data + j * n_cells * t.element_bytes, column.data(), n_cells);
        for (int64_t i = 0; i < n_cells; i++)
            x[static_cast<size_t>(i * t.n_elements + j)] = column[static_cast<size_t>(i)];
    }
    return x;
}

void store(ggml_type type, const float* x, uint8_t* out, int64_t n) {
    if (ggml_is_quantized(type))
        ggml_quantize_chunk(type, x, out, 0, 1, n, nullptr);
    else
        from_float(type, x, out, n);
}

void write_tensor(const KvTensor& t, int64_t n_cells, const std::vector<float>& x, std::span<uint8_t> bytes) {
    uint8_t* data = bytes.data() + t.offset_bytes;
    const auto type = static_cast<ggml_type>(t.type);
    if (!t.transposed) {
        store(type, x.data(), data, n_cells * t.n_elements);
        return;
    }
    std::vector<float> column(static_cast<size_t>(n_cells));
    for (int64_t j = 0; j < t.n_elements; j++) {
        for (int64_t i = 0; i < n_cells; i++)
            column[static_cast<size_t>(i)] = x[static_cast<size_t>(i * t.n_elements + j)];
        store(type, column.data(), data + j * n_cells * t.element_bytes, n_cells);
    }
}

}  // namespace

int64_t hadamard_size(int32_t type, int64_t d, bool is_key) {
    if (!ggml_is_quantized(static_cast<ggml_type>(type)) || d % 64 != 0) return 0;
    int64_t n = 64;
    while (is_key && d % (n * 2) == 0) n *= 2;
    return n;
}

void hadamard(int64_t n, std::span<float> x) {
    if (n == 0) return;
    const float scale = 1 / std::sqrt(static_cast<float>(n));
    for (float* run = x.data(); run + n <= x.data() + x.size(); run += n) {
        for (int64_t half = 1; half < n; half *= 2)
            for (int64_t i = 0; i < n; i += 2 * half)
                for (int64_t j = i; j < i + half; j++) {
                    const float a = run[j], b = run[j + half];
                    run[j] = a + b;
                    run[j + half] = a - b;
                }
        for (int64_t i = 0; i < n; i++) run[i] *= scale;
    }
}

std::vector<int32_t> positions_of(const KvState& state) {
    std::vector<int32_t> pos;
    for (const KvCell& cell : state.caches.at(0).streams.at(0).cells) pos.push_back(cell.pos);
    return pos;
}

KvLayerValues read_layer(const KvState& state, std::span<const uint8_t> bytes, const KvHeads& heads, int64_t layer) {
    const KvStream& stream = state.caches.at(0).streams.at(0);
    const KvTensor& k = stream.k.at(static_cast<size_t>(layer));
    const KvTensor& v = stream.v.at(static_cast<size_t>(layer));
    const auto n = static_cast<int64_t>(stream.cells.size());
    KvLayerValues values{read_tensor(k, n, bytes), read_tensor(v, n, bytes)};
    hadamard(hadamard_size(k.type, heads.d_k, true), values.k);
    hadamard(hadamard_size(v.type, heads.d_v, false), values.v);
    turn(heads.rope, positions_of(state), k.n_elements / heads.d_k, heads.d_k, true, values.k.data());
    return values;
}

void write_layer(const KvState& state, const KvHeads& heads, int64_t layer, KvLayerValues values,
                 std::span<uint8_t> bytes) {
    const KvStream& stream = state.caches.at(0).streams.at(0);
    const KvTensor& k = stream.k.at(static_cast<size_t>(layer));
    const KvTensor& v = stream.v.at(static_cast<size_t>(layer));
    const auto n = static_cast<int64_t>(stream.cells.size());
    turn(heads.rope, positions_of(state), k.n_elements / heads.d_k, heads.d_k, false, values.k.data());
    hadamard(hadamard_size(k.type, heads.d_k, true), values.k);
    hadamard(hadamard_size(v.type, heads.d_v, false), values.v);
    write_tensor(k, n, values.k, bytes);
    write_tensor(v, n, values.v, bytes);
}

void require_plain_cache(const KvState& state, std::string_view name) {
    if (state.caches.size() != 1 || state.caches[0].streams.size() != 1)
        throw UsageError(
            fmt::format("{}: {} caches, {} streams; the lossy codec takes one of each (no sliding windows, one "
                        "sequence): pack it without --kl and --ratio",
                        name, state.caches.size(), state.caches.empty() ? 0 : state.caches[0].streams.size()));
    const KvStream& stream = state.caches[0].streams[0];
    if (stream.v.size() != stream.k.size() || stream.cells.empty() || state.has_places)
        throw UsageError(
            fmt::format("{}: a cache without V, without tokens or with places in images; the lossy codec takes "
                        "text: pack it without --kl and --ratio",
                        name));
}

}  // namespace ech0
