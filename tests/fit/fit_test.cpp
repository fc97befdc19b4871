#include "fit/fit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

const FitOption& find(const Fit& fit, const std::string& name) {
    const auto found =
        std::find_if(fit.options.begin(), fit.options.end(), [&](const FitOption& o) { return o.name == name; });
    REQUIRE_MESSAGE(found != fit.options.end(), name);
    return *found;
}

FitOptions on_m4(const std::vector<std::string>& models) {
    FitOptions options;
    for (const std::string& model : models) options.models.push_back(read_model(model));
    options.machine = find_machine("m4-24gb");
    return options;
}

constexpr double gib = 1073741824.0;

}  // namespace

TEST_CASE("the questions that started it: a 32B on a 24 GB Mac") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Fit found = fit(on_m4({"qwen2.5:32b", "qwen2.5:14b"}));
    CHECK(found.machine.model_budget_bytes / gib == doctest::Approx(17.76).epsilon(0.001));

    // Q4_K_M is 18.49 GiB of file and does not fit, whatever the cache.
    const FitOption& q4 = find(found, "qwen2.5:32b Q4_K_M, q8_0 cache");
    CHECK(static_cast<double>(q4.file_bytes) / gib == doctest::Approx(18.49).epsilon(0.001));
    CHECK_FALSE(q4.fits);
    // About 4.3 bits fit with 4096 tokens and a q8_0 cache, and not with f16.
    CHECK(find(found, "qwen2.5:32b IQ4_XS, q8_0 cache").fits);
    CHECK_FALSE(find(found, "qwen2.5:32b IQ4_XS, f16 cache").fits);
    // The 14B can't talk at 40 to 60 tokens/s: 120 GB/s over 9 GB is 13 at most.
    const FitOption& small = find(found, "qwen2.5:14b Q4_K_M, f16 cache");
    CHECK(small.speed.bound_tokens_per_s < 14);
    CHECK(small.speed.tokens_per_s.high <= small.speed.bound_tokens_per_s * 1.05);
    // Quality is what was published.
    CHECK(std::round(100 * q4.quality.perplexity) == 562);
    CHECK(std::round(100 * small.quality.perplexity) == 613);
    CHECK(small.quality.grade == Grade::published);
    // Every refusal says why.
    CHECK(std::any_of(found.refused.begin(), found.refused.end(), [](const Refusal& r) {
        return r.name == "qwen2.5:32b Q4_K_M, f16 cache" && r.why.find("weights") != std::string::npos;
    }));
    REQUIRE(found.recommended);
    CHECK(found.options[*found.recommended].fits);
}

TEST_CASE("at Q3_K_M a 32B fits a 24 GB Mac with 8192 tokens") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    FitOptions options = on_m4({"qwen2.5:32b"});
    options.n_ctx = 8192;
    const Fit found = fit(options);
    const FitOption& q3 = find(found, "qwen2.5:32b Q3_K_M, f16 cache");
    CHECK(static_cast<double>(q3.file_bytes) / gib == doctest::Approx(14.84).epsilon(0.002));
    CHECK(q3.fits);
}

TEST_CASE("a mixture of experts reads only the experts that it uses") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Fit found = fit(on_m4({"qwen3:30b-a3b", "qwen3:14b"}));
    CHECK(find(found, "qwen3:30b-a3b Q3_K_M, q8_0 cache").speed.bound_tokens_per_s >
          3 * find(found, "qwen3:14b Q3_K_M, q8_0 cache").speed.bound_tokens_per_s);
}

TEST_CASE("the mix fills the memory, and never more") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Fit found = fit(on_m4({"qwen2.5:32b"}));
    const FitOption& mix = find(found, "qwen2.5:32b mix, q8_0 cache");
    CHECK(mix.fits);
    CHECK(mix.memory.total_bytes() <= found.machine.model_budget_bytes);
    CHECK(static_cast<double>(mix.memory.total_bytes()) >
          0.999 * static_cast<double>(found.machine.model_budget_bytes));
}

TEST_CASE("a machine without room is told no, with the smallest option's arithmetic") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    FitOptions options = on_m4({"qwen2.5:32b"});
    options.machine = with_overrides(options.machine, 4000000000, 0);
    const Fit found = fit(options);
    CHECK_FALSE(found.recommended);
    CHECK(found.why.find("even qwen2.5:32b IQ1_S") != std::string::npos);
    options.machine.model_budget_bytes = 0;
    CHECK_THROWS_AS(fit(options), UsageError);
}

TEST_CASE("a context beyond training, an unknown model and an unknown machine are refused") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    FitOptions options = on_m4({"qwen2.5:32b"});
    options.n_ctx = 65536;
    CHECK_THROWS_WITH_AS(
        fit(options),
        "qwen2.5:32b: a context of 65536 tokens, and the model was trained on 32768: give --ctx 32768 or "
        "less",
        UsageError);
    CHECK_THROWS_AS(fit(on_m4({"qwen2.5:33b"})), UsageError);
    CHECK_THROWS_AS(find_machine("m4-25gb"), UsageError);
}

TEST_CASE("a file on this machine is judged by kernels that were timed here, and keeps its quality if it fits") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    write_tiny_model(
        {.n_embd = 256, .n_head = 4, .n_head_kv = 4, .n_embd_head = 64, .n_ff = 512, .type = GGML_TYPE_F16},
        folder / "m.gguf");
    FitOptions options;
    options.models = {read_model((folder / "m.gguf").string())};
    options.n_ctx = 256;
    options.machine.name = "this";
    options.machine.is_this = true;
    options.machine.backend = "CPU";
    options.machine.model_budget_bytes = 1'000'000'000;
    const Fit found = fit(options);
    REQUIRE(found.recommended);
    const FitOption& chosen = found.options[*found.recommended];
    CHECK(chosen.speed.tokens_per_s.low > 0);
    CHECK(chosen.speed.tokens_per_s.high > chosen.speed.tokens_per_s.low);
    CHECK(chosen.quality.kl_divergence < 0.005);  // nothing that could be told from the original
    CHECK(std::filesystem::exists(folder / "cache"));
}
