#include "machine/metal_limit.h"

#include <doctest/doctest.h>

using namespace ech0;

namespace {

constexpr int64_t gib = int64_t{1} << 30, mib = int64_t{1} << 20;

}  // namespace

TEST_CASE("Metal's default limit is two thirds below 36 GiB and three quarters from there on") {
    // 21845.34 MiB of 32 GiB: https://github.com/ollama/ollama/issues/434
    CHECK(metal_limit_bytes(32 * gib, 0) / double(mib) == doctest::Approx(21845.33));
    CHECK(metal_limit_bytes(36 * gib, 0) == 27 * gib);
    CHECK(metal_limit_bytes(64 * gib, 0) == 48 * gib);
}

TEST_CASE("a limit that was set is the limit, but no more than there is") {
    CHECK(metal_limit_bytes(16 * gib, 12000) == 12000 * mib);  // https://github.com/AlexsJones/llmfit/pull/754
    CHECK(metal_limit_bytes(16 * gib, 1000000) == 16 * gib);
    CHECK(metal_limit_bytes(16 * gib, INT64_MAX) == 16 * gib);
    CHECK(metal_limit_bytes(0, 0) == 0);
}

TEST_CASE("a wider limit leaves the system 4 GiB or an eighth, and is offered only if it is wider") {
    CHECK(wider_metal_limit_mib(24 * gib, 17 * gib) == 20 * 1024);
    CHECK(wider_metal_limit_mib(128 * gib, 96 * gib) == 112 * 1024);
    CHECK(wider_metal_limit_mib(24 * gib, 21 * gib) == 0);
    CHECK(wider_metal_limit_mib(0, 0) == 0);
}

TEST_CASE("a Mac's available memory is free pages and cached files") {
    // The counts of a sample vm_stat of an M-series Mac, pages of 16 KiB.
    MacPages pages;
    pages.page_bytes = 16384;
    pages.free = 123456;
    pages.speculative = 12345;
    pages.file_backed = 456789;
    pages.purgeable = 56789;
    CHECK(mac_available_bytes(pages, 24 * gib) == int64_t{123456 - 12345 + 456789 + 56789} * 16384);
    CHECK(mac_available_bytes(pages, 1 * gib) == 1 * gib);
    CHECK(mac_available_bytes({}, 24 * gib) == 0);
    pages.speculative = INT32_MAX;
    CHECK(mac_available_bytes(pages, 24 * gib) == 0);
}
