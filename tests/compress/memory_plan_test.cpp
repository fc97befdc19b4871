#include "compress/memory_plan.h"

#include <doctest/doctest.h>

#include "base/process.h"
#include "ech0/error.h"
#include "support/shape.h"

namespace ech0 {
namespace {

constexpr int64_t gib = int64_t{1} << 30;

MemoryNeeds needs_of(const Shape& shape, int64_t tokens = 6144) {
    return {shape.model, 512, tokens, 128, 512, 2048, 8};
}

}  // namespace

TEST_CASE("a plan stays under the limit, and gives way in its widths and in what it keeps") {
    const Shape mistral("mistral:7b");
    const MemoryPlan wide = plan_memory(needs_of(mistral), 64 * gib);
    CHECK(wide.limits.widest == 8192);
    CHECK(wide.metric_threads == 8);
    CHECK(wide.kept_bytes > 0);
    int64_t before = wide.limits.widest;
    for (const int64_t limit : {12 * gib, 6 * gib, 4 * gib, 3 * gib}) {
        CAPTURE(limit);
        const MemoryPlan plan = plan_memory(needs_of(mistral), limit);
        CHECK(plan.peak_bytes <= limit);
        CHECK(plan.limits.widest <= before);
        CHECK(plan.metric_threads >= 1);
        before = plan.limits.widest;
    }
    CHECK(before < 8192);
}

TEST_CASE("a 32B model fits under 8 GiB, whatever the text") {
    const Shape qwen("qwen2.5:32b");
    for (const int64_t tokens : {int64_t{6144}, int64_t{131072}}) {
        const MemoryPlan plan = plan_memory(needs_of(qwen, tokens), 8 * gib);
        CHECK(plan.peak_bytes <= 8 * gib);
    }
}

TEST_CASE("too little memory is refused with what is needed") {
    const Shape mistral("mistral:7b");
    CHECK_THROWS_AS(plan_memory(needs_of(mistral), gib / 4), UsageError);
    try {
        plan_memory(needs_of(mistral), gib / 4);
    } catch (const UsageError& error) {
        CHECK(std::string(error.what()).find("takes at least") != std::string::npos);
    }
}

TEST_CASE("a run that goes on keeps its widths where they fit") {
    const Shape mistral("mistral:7b");
    CHECK(plan_memory(needs_of(mistral), 64 * gib, 1024).limits.widest == 1024);
    CHECK(plan_memory(needs_of(mistral), 3 * gib, 8192).limits.widest < 8192);
}

TEST_CASE("without a limit the machine's free memory is one") {
    const Shape small("smollm2:135m");
    CHECK(plan_memory(needs_of(small), 0).peak_bytes > peak_memory_bytes());
}

}  // namespace ech0
