#include "machine/meminfo.h"

#include <doctest/doctest.h>

using namespace ech0;

namespace {

// A cloud machine of 24 GB, Debian 12.
constexpr const char* sample =
    "MemTotal:       24684084 kB\n"
    "MemFree:        20858912 kB\n"
    "MemAvailable:   23463480 kB\n"
    "Buffers:           15972 kB\n"
    "Cached:          2740580 kB\n"
    "SwapCached:            0 kB\n"
    "SwapTotal:       2097148 kB\n"
    "SwapFree:        1048572 kB\n"
    "HugePages_Total:       0\n"
    "Hugepagesize:       2048 kB\n";

}  // namespace

TEST_CASE("/proc/meminfo is read in bytes") {
    const MemoryInfo info = parse_meminfo(sample);
    CHECK(info.total_bytes == int64_t{24684084} * 1024);
    CHECK(info.available_bytes == int64_t{23463480} * 1024);
    CHECK(info.swap_total_bytes == int64_t{2097148} * 1024);
    CHECK(info.swap_free_bytes == int64_t{1048572} * 1024);
}

TEST_CASE("a kernel without MemAvailable has free, buffers and cache available") {
    const MemoryInfo info = parse_meminfo("MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 300 kB\n");
    CHECK(info.available_bytes == 420 * 1024);
}

TEST_CASE("a meminfo that says nothing, or nonsense, gives zeros and never more available than there is") {
    for (const char* text :
         {"", "\n\n", "MemTotal", "MemTotal: x kB", "MemTotal: -5 kB", "MemTotal: 5", "MemTotal: 5 MB",
          "MemTotal: 99999999999999999999 kB", "MemTotal: 9223372036854775807 kB", "\0\xff garbage"}) {
        CAPTURE(text);
        const MemoryInfo info = parse_meminfo(text);
        CHECK(info.total_bytes == 0);
        CHECK(info.available_bytes == 0);
        CHECK(info.swap_total_bytes == 0);
    }
    CHECK(parse_meminfo("MemTotal: 10 kB\nMemAvailable: 20 kB\n").available_bytes == 10 * 1024);
    CHECK(parse_meminfo("MemTotal: 10 kB\nMemAvailable: 0 kB\nMemFree: 7 kB\n").available_bytes == 0);
    CHECK(parse_meminfo("SwapTotal: 10 kB\nSwapFree: 20 kB\n").swap_free_bytes == 10 * 1024);
}
