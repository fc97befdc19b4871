#include "machine/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "ech0/error.h"
#include "ech0/units.h"

namespace ech0 {
namespace {

constexpr int64_t mib = int64_t{1} << 20;
constexpr double wanted_s = 0.7;     // of passes; the first touch of the buffer costs about as much again
constexpr int64_t most_passes = 64;  // more tell nothing
constexpr int64_t line_words = 8;    // a cache line of 64 bytes

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Eight sums side by side: one would make every addition wait for the one before.
uint64_t sum_of(const uint64_t* words, int64_t n_words) {
    uint64_t sums[line_words] = {};
    for (int64_t i = 0; i < n_words; i += line_words)
        for (int64_t lane = 0; lane < line_words; lane++) sums[lane] += words[i + lane];
    uint64_t sum = 0;
    for (const uint64_t lane : sums) sum += lane;
    return sum;
}

/// A buffer in as many parts as there are threads; each is first touched by the thread that reads it, so that on a
/// machine with several memories it lies near that thread.
class Reader {
public:
    Reader(int n_threads, int64_t buffer_bytes)
        : n_threads_(n_threads),
          part_words_(buffer_bytes / 8 / n_threads / line_words * line_words),
          words_(new uint64_t[static_cast<size_t>(part_words_ * n_threads)]),
          step_(n_threads) {}

    int64_t buffer_bytes() const { return part_words_ * n_threads_ * 8; }

    // The calling thread is one of them and holds the clock.
    std::vector<double> run() {
        std::vector<std::thread> threads;
        for (int t = 1; t < n_threads_; t++) threads.emplace_back([this, t] { read_part(t, nullptr); });
        std::vector<double> pass_s;
        read_part(0, &pass_s);
        for (std::thread& thread : threads) thread.join();
        return pass_s;
    }

    bool read_right() const { return wrong_ == 0; }

private:
    void read_part(int t, std::vector<double>* pass_s) {
        uint64_t* const part = words_.get() + t * part_words_;
        for (int64_t i = 0; i < part_words_; i++) part[i] = static_cast<uint64_t>(i);
        const auto n = static_cast<uint64_t>(part_words_);
        const uint64_t expected = n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n;
        step_.arrive_and_wait();
        const Clock::time_point start = Clock::now();
        while (!over_) {
            const Clock::time_point pass = Clock::now();
            if (sum_of(part, part_words_) != expected) wrong_++;
            step_.arrive_and_wait();
            if (pass_s != nullptr) {
                pass_s->push_back(seconds_since(pass));
                over_ = seconds_since(start) > wanted_s || static_cast<int64_t>(pass_s->size()) >= most_passes;
            }
            step_.arrive_and_wait();  // so that all see the same answer
        }
    }

    int n_threads_;
    int64_t part_words_;
    std::unique_ptr<uint64_t[]> words_;  // not cleared: each thread fills its own part
    std::barrier<> step_;
    std::atomic<bool> over_ = false;
    std::atomic<int> wrong_ = 0;
};

}  // namespace

std::string describe(const ReadBandwidth& read) {
    const std::string who = read.n_threads == 0   ? "the GPU's own kernels"
                            : read.n_threads == 1 ? "1 thread"
                                                  : fmt::format("{} threads", read.n_threads);
    return fmt::format("best of {} reads of {} by {}; median {:.1f} GB/s", read.n_passes,
                       format_memory(read.buffer_bytes), who, read.median_bytes_per_s / 1e9);
}

int64_t read_buffer_bytes(int64_t last_cache_bytes, int64_t available_bytes) {
    const int64_t wanted = std::max(256 * mib, 4 * last_cache_bytes);
    const int64_t bytes = std::min(wanted, available_bytes / 4);
    return bytes >= std::max<int64_t>(1, 2 * last_cache_bytes) ? bytes : 0;
}

ReadBandwidth measure_read_bandwidth(int n_threads, int64_t buffer_bytes) {
    if (n_threads < 1 || buffer_bytes / 64 < n_threads) {
        throw UsageError(
            fmt::format("measure memory: {} bytes by {} threads: at least one thread, and 64 bytes for each",
                        buffer_bytes, n_threads));
    }
    Reader reader(n_threads, buffer_bytes);
    std::vector<double> pass_s = reader.run();
    if (!reader.read_right()) throw Error("measure memory: it read back other numbers than were written: test the RAM");
    std::sort(pass_s.begin(), pass_s.end());
    const auto bytes = static_cast<double>(reader.buffer_bytes());
    return {bytes / pass_s.front(), bytes / pass_s[pass_s.size() / 2],
            bytes / pass_s.back(),  static_cast<int64_t>(pass_s.size()),
            reader.buffer_bytes(),  n_threads};
}

}  // namespace ech0
