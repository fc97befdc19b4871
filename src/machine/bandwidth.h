#pragma once

#include <cstdint>
#include <string>

namespace ech0 {

/// How fast memory was read, by all threads together.
struct ReadBandwidth {
    double best_bytes_per_s =
        0;  ///< the figure to count with: programs beside can only slow a pass down (STREAM's rule)
    double median_bytes_per_s = 0, worst_bytes_per_s = 0;
    int64_t n_passes = 0;
    int64_t buffer_bytes = 0;
    int n_threads = 0;  ///< of the processor; 0 if a GPU read
};

/// "best of 40 reads of 256.0 MiB by 2 threads; median 20.1 GB/s"
std::string describe(const ReadBandwidth& read);

/// How much to read so that no cache can answer: 4 times the last cache, at least 256 MiB; but at most a quarter of the
/// memory that is free, and 0 (measure nothing) if that would be less than twice the cache.
int64_t read_buffer_bytes(int64_t last_cache_bytes, int64_t available_bytes);

/// Read a buffer of our own over and over for about 0.7 s, each thread its own part, and check the sum of what was
/// read. This is the speed that generating a token is bound by, since a token reads every weight once.
/// @throws UsageError unless n_threads >= 1 and buffer_bytes holds 64 bytes for each of them
/// Source: McCalpin, STREAM (cs.virginia.edu/stream), of which this is the reading half.
ReadBandwidth measure_read_bandwidth(int n_threads, int64_t buffer_bytes);

}  // namespace ech0
