#include "machine/kernels.h"

#include <doctest/doctest.h>

#include "support/temporary_folder.h"

using namespace ech0;

TEST_CASE("a kernel's speed is measured once and remembered") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", folder.path().string());
    Kernels kernels(1);
    const KernelSpeed first = kernels.of(GGML_TYPE_Q8_0);
    CHECK(first.read_bytes_per_s > 1e8);
    CHECK(first.read_bytes_per_s < 1e13);
    CHECK(first.flops_per_s > first.read_bytes_per_s);  // a batch does more with each byte
    CHECK(kernels.attention_flops_per_s(GGML_TYPE_F16) > 1e7);
    CHECK(kernels.overhead_s_per_node() > 0);
    CHECK(kernels.overhead_s_per_node() < 1e-3);
    kernels.remember();
    Kernels again(1);
    CHECK(again.of(GGML_TYPE_Q8_0).read_bytes_per_s == doctest::Approx(first.read_bytes_per_s));
    CHECK(again.overhead_s_per_node() == doctest::Approx(kernels.overhead_s_per_node()));
}
