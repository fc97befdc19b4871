#include "compress/lanes.h"

namespace ech0 {
namespace {

// Sixteen floats: a register of AVX-512, two of AVX, four of NEON or SSE; the compiler splits it where it must.
typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));
constexpr int n_vectors = tile_rows / 16;

template <int n_at_once>
void sum_lanes(const float* a, int64_t stride, const float* in, int64_t n_in, float factor, float* out) {
    Vector sum[n_at_once][n_vectors] = {};
    for (int64_t j = 0; j < n_in; j++) {
        const auto* x = reinterpret_cast<const Vector*>(in + j * tile_rows);
        const float* aj = a + j * stride;
        for (int k = 0; k < n_at_once; k++)
            for (int v = 0; v < n_vectors; v++) sum[k][v] += aj[k] * x[v];
    }
    for (int k = 0; k < n_at_once; k++) {
        auto* to = reinterpret_cast<Vector*>(out + k * tile_rows);
        for (int v = 0; v < n_vectors; v++) to[v] += factor * sum[k][v];
    }
}

}  // namespace

void add_products_of_lanes(const float* a, int64_t stride, const float* in, int64_t n_in, float factor, float* out,
                           int64_t n_out) {
    int64_t k = 0;
    for (; k + 4 <= n_out; k += 4) sum_lanes<4>(a + k, stride, in, n_in, factor, out + k * tile_rows);
    for (; k < n_out; k++) sum_lanes<1>(a + k, stride, in, n_in, factor, out + k * tile_rows);
}

}  // namespace ech0
