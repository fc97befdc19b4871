#include "machine/bandwidth.h"

#include <chrono>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

namespace {

constexpr int64_t mib = int64_t{1} << 20;

}  // namespace

TEST_CASE("what is read is larger than the last cache and smaller than the free memory") {
    CHECK(read_buffer_bytes(32 * mib, 1 << 30) == 256 * mib);
    CHECK(read_buffer_bytes(256 * mib, int64_t{64} << 30) == 1024 * mib);
    CHECK(read_buffer_bytes(8 * mib, 400 * mib) == 100 * mib);
    CHECK(read_buffer_bytes(96 * mib, 400 * mib) == 0);  // 100 MiB would half be cache
    CHECK(read_buffer_bytes(0, 0) == 0);
    CHECK(read_buffer_bytes(32 * mib, -5) == 0);
}

TEST_CASE("reading a buffer takes well under two seconds and its figures are in order") {
    const auto start = std::chrono::steady_clock::now();
    const ReadBandwidth read = measure_read_bandwidth(2, 64 * mib);
    CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 2);
    CHECK(read.n_threads == 2);
    CHECK(read.buffer_bytes == 64 * mib);
    CHECK(read.n_passes >= 1);
    CHECK(read.worst_bytes_per_s > 0);
    CHECK(read.worst_bytes_per_s <= read.median_bytes_per_s);
    CHECK(read.median_bytes_per_s <= read.best_bytes_per_s);
}

TEST_CASE("one thread reads about as fast as a plain loop over memory does") {
    // An independent way to the same figure: the standard library's sum over a vector of the same size.
    const std::vector<uint64_t> words(static_cast<size_t>(256 * mib / 8), 1);
    double plain_bytes_per_s = 0;
    for (int pass = 0; pass < 5; pass++) {
        const auto start = std::chrono::steady_clock::now();
        const uint64_t sum = std::reduce(words.begin(), words.end(), uint64_t{0});
        const double took_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        REQUIRE(sum == words.size());
        plain_bytes_per_s = std::max(plain_bytes_per_s, 256.0 * mib / took_s);
    }
    const ReadBandwidth read = measure_read_bandwidth(1, 256 * mib);
    // Ours is not slower (the plain loop may be bound by its additions), nor faster than any core reads memory.
    CHECK(read.best_bytes_per_s > 0.7 * plain_bytes_per_s);
    CHECK(read.best_bytes_per_s < 1e12);
}

TEST_CASE("no thread, or no 64 bytes for each, can't be measured") {
    CHECK_THROWS_AS(measure_read_bandwidth(0, mib), UsageError);
    CHECK_THROWS_AS(measure_read_bandwidth(2, 127), UsageError);
    CHECK(measure_read_bandwidth(2, 128).buffer_bytes == 128);
}
