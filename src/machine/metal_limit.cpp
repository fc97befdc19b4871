#include "machine/metal_limit.h"

#include <algorithm>

namespace ech0 {
namespace {

constexpr int64_t mib = int64_t{1} << 20, gib = int64_t{1} << 30;

}  // namespace

int64_t metal_limit_bytes(int64_t memory_total_bytes, int64_t wired_limit_mib) {
    if (wired_limit_mib > 0) return std::min(wired_limit_mib, memory_total_bytes / mib) * mib;
    return memory_total_bytes < 36 * gib ? memory_total_bytes / 3 * 2 : memory_total_bytes / 4 * 3;
}

int64_t wider_metal_limit_mib(int64_t memory_total_bytes, int64_t limit_bytes) {
    const int64_t wider = memory_total_bytes - std::max(4 * gib, memory_total_bytes / 8);
    return wider > limit_bytes ? wider / mib : 0;
}

int64_t mac_available_bytes(const MacPages& pages, int64_t memory_total_bytes) {
    const int64_t available = pages.free - pages.speculative + pages.file_backed + pages.purgeable;
    return std::clamp<int64_t>(available * pages.page_bytes, 0, std::max<int64_t>(0, memory_total_bytes));
}

}  // namespace ech0
