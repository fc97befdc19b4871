#include "machine/device_bandwidth.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

namespace {

constexpr int64_t mib = int64_t{1} << 20;

}  // namespace

TEST_CASE("the engine's processor reads weights no faster than a plain reading loop, by much") {
    // One thread each: the engine spins between operations, which on a busy machine measures the others. Converting and
    // adding costs it something; a figure far off would mean that other bytes are counted than are read. Other work on
    // the machine slows the one or the other: a few tries, and the best of each.
    double best_product = 0, best_loop = 0;
    const auto plausible = [&] { return best_product > 0.2 * best_loop && best_product < 1.5 * best_loop; };
    ReadBandwidth product;
    for (int tries = 0; tries < 20 && !plausible(); tries++) {
        product = measure_device_bandwidth("CPU", 256 * mib, 1);
        best_product = std::max(best_product, product.best_bytes_per_s);
        best_loop = std::max(best_loop, measure_read_bandwidth(1, 256 * mib).best_bytes_per_s);
    }
    CHECK(product.buffer_bytes == 256 * mib);
    CHECK(product.n_threads == 1);
    CHECK(product.n_passes >= 1);
    CHECK(product.worst_bytes_per_s <= product.best_bytes_per_s);
    CHECK(best_product > 0.2 * best_loop);
    CHECK(best_product < 1.5 * best_loop);
}

TEST_CASE("a device that is not there is an error that names it") {
    CHECK_THROWS_WITH_AS(measure_device_bandwidth("CUDA7", 64 * mib, 1), "measure CUDA7: the engine has no such device",
                         EngineError);
}
