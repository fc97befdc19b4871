#include "machine/host.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("a card is told by its class and its maker") {
    CHECK(gpu_maker("0000:01:00.0", "0x10de\n", "0x030000\n") == "NVIDIA");
    CHECK(gpu_maker("0000:03:00.0", "0x10de\n", "0x030200\n") == "NVIDIA");
    CHECK(gpu_maker("0000:03:00.0", "0x1002\n", "0x120000\n") == "AMD");
    CHECK(gpu_maker("0000:03:00.0", "0x8086\n", "0x030000\n") == "Intel");
}

TEST_CASE("what is no GPU, or part of the processor, or a virtual screen, is none") {
    CHECK(gpu_maker("0000:01:00.1", "0x10de\n", "0x040300\n") == "");  // the card's sound
    CHECK(gpu_maker("0000:00:02.0", "0x8086\n", "0x030000\n") == "");
    CHECK(gpu_maker("0000:00:02.0", "0x1234\n", "0x030000\n") == "");
    CHECK(gpu_maker("0000:05:00.0", "0x8086\n", "0x120000\n") == "");
    CHECK(gpu_maker("", "", "") == "");
}

TEST_CASE("this machine has memory, a processor and at least one core") {
    const Host host = probe_host();
    CHECK(host.processor != "");
    CHECK(host.memory_total_bytes > 0);
    CHECK(host.memory_available_bytes > 0);
    CHECK(host.memory_available_bytes <= host.memory_total_bytes);
    CHECK(host.cores >= 1);
    CHECK(host.cores <= host.cores_total);
    CHECK(host.swap_used_bytes <= host.swap_total_bytes);
}
