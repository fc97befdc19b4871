#include "plan/roofline.h"

#include <doctest/doctest.h>

#include "plan/presets.h"
#include "support/shape.h"

using namespace ech0;

namespace {

struct Worked : Shape {
    using Shape::Shape;
    TokenWork work(const char* preset, int64_t n_past) const {
        const SessionOptions session{.n_ctx = 4096, .n_outputs = 1};
        return work_of(model, preset_of(model, preset).types, FootprintProbe(model).of(session), session, n_past);
    }
};

}  // namespace

TEST_CASE("a token reads every weight but the embedding's other rows, and the cache of what was said") {
    const Worked qwen("qwen2.5:14b");
    const Preset f16 = preset_of(qwen.model, "F16");
    const int64_t embedding = qwen.model.find("token_embd.weight")->size_bytes;
    CHECK(qwen.work("F16", 0).total_bytes() == f16.tensor_bytes - embedding);
    CHECK(qwen.work("F16", 4096).kv_bytes == 2LL * 2 * 8 * 128 * 48 * 4096);
    // 4 flops per head, channel and token: two products
    CHECK(qwen.work("F16", 4096).attention_flops == 4.0 * 40 * 128 * 48 * 4096);
}

TEST_CASE("of experts only those that a token uses are read") {
    const Worked moe("qwen3:30b-a3b");
    const TokenWork work = moe.work("Q8_0", 0);
    CHECK(static_cast<double>(work.total_bytes()) < 0.15 * static_cast<double>(moe.model.tensor_bytes));
    CHECK(work.total_bytes() > 2'500'000'000);  // 3.3e9 active weights at 8.5 bits, less the embedding
}

TEST_CASE("a described machine talks as fast as what was published for it says, and never beyond its bound") {
    const Worked llama("llama3:8b");
    const Machine machine = find_machine("m4-24gb");
    const std::vector<Machine> others = machine_profiles();
    const SpeedEstimate q4 = speed_described(machine, others, llama.work("Q4_0", 0));
    CHECK(q4.tokens_per_s.value < q4.bound_tokens_per_s);
    CHECK(q4.tokens_per_s.high - q4.tokens_per_s.value <= 0.2501 * q4.tokens_per_s.value);
    Machine nobody = machine;
    nobody.published.clear();
    const SpeedEstimate like_others = speed_described(nobody, others, llama.work("Q4_0", 0));
    CHECK(like_others.tokens_per_s.value == doctest::Approx(q4.tokens_per_s.value).epsilon(0.25));
    nobody.backend = "abacus";
    CHECK(speed_described(nobody, others, llama.work("Q4_0", 0)).tokens_per_s.value == 0);
    nobody.read_bytes_per_s = 0;
    CHECK(speed_described(nobody, others, llama.work("Q4_0", 0)).bound_tokens_per_s == 0);
}
