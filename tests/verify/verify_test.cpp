#include "verify/verify.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "base/file.h"
#include "base/sha256.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"
#include "verify/side_by_side.h"

using namespace ech0;

namespace {

Model tiny(const TemporaryFolder& folder, const std::string& name, uint64_t seed) {
    write_tiny_model({.n_ctx_train = 2048, .seed = seed}, folder / name);
    return read_model((folder / name).string());
}

double mean(const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("the evidence sums up what side_by_side measured and describes what was measured") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Model original = tiny(folder, "o.gguf", 1);
    const std::vector<Model> candidates = {tiny(folder, "a.gguf", 2), original};
    VerifyOptions options;
    options.n_ctx = 128;
    options.n_chunks = 12;
    options.quick = true;
    options.command = "a command";
    const Evidence evidence = verify(original, candidates, options);
    const EvaluationText text = load_evaluation_text({});
    const SideBySide scores = side_by_side(original, candidates, text, {.n_ctx = 128, .n_chunks = 12});

    CHECK(evidence.n_chunks == 12);
    CHECK(evidence.n_tokens == 12 * 63);
    CHECK(evidence.text_sha256 == text.sha256);
    CHECK(evidence.overlap_with_calibration == 0);
    CHECK(evidence.command == "a command");
    CHECK(evidence.engine.starts_with("llama.cpp "));
    CHECK(evidence.original.sha256 == sha256_of_file(folder / "o.gguf"));
    CHECK(evidence.original.perplexity == doctest::Approx(std::exp(mean(scores.nll_original))));
    CHECK(evidence.original.perplexity_low < evidence.original.perplexity);

    const Candidate& other = evidence.candidates[0];
    CHECK(other.path == (folder / "a.gguf").string());
    CHECK(other.kl_divergence.mean == doctest::Approx(mean(scores.candidates[0].kl_divergence)));
    CHECK(other.kl_divergence.low < other.kl_divergence.mean);
    CHECK(other.kl_divergence.mean < other.kl_divergence.high);
    CHECK(other.kl_divergence.median < other.kl_divergence.p99);
    CHECK(other.perplexity == doctest::Approx(std::exp(mean(scores.candidates[0].nll))));
    CHECK(other.top1_agreement.mean == doctest::Approx(mean(scores.candidates[0].same_top1)));
    CHECK(other.greedy_agreement < 1);
    CHECK(other.retrieval.empty());
    CHECK(other.peak_memory_bytes == 0);

    const Candidate& same = evidence.candidates[1];
    CHECK(same.kl_divergence.mean == 0);
    CHECK(same.kl_divergence.high == 0);
    CHECK(same.top1_agreement.mean == 1);
    CHECK(same.greedy_agreement == 1);
    REQUIRE(evidence.paired.size() == 1);
    CHECK(evidence.paired[0].kl_difference.mean == doctest::Approx(other.kl_divergence.mean));
}

TEST_CASE("the whole proof has retrieval, speed and memory of every file") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Model original = tiny(folder, "o.gguf", 1);
    const std::vector<Model> candidates = {tiny(folder, "a.gguf", 2)};
    VerifyOptions options;
    options.n_ctx = 64;
    options.n_chunks = 2;
    options.program = ECH0_BINARY;
    const Evidence evidence = verify(original, candidates, options);
    for (const Measured* file : {&evidence.original, static_cast<const Measured*>(evidence.candidates.data())}) {
        CHECK(file->retrieval.size() == 5);
        CHECK(file->tokens_per_s > 0);
        CHECK(file->prompt_tokens_per_s > 0);
        CHECK(file->peak_memory_bytes > file->size_bytes);
    }
    CHECK(evidence.workload.speed_n_repeats == 3);
    CHECK(evidence.workload.retrieval_n_ctx == 1024);
}

TEST_CASE("a text that repeats the calibration text is found out") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Model model = tiny(folder, "o.gguf", 1);
    std::string text;
    for (int i = 0; i < 300; ++i) text += "word" + std::to_string(i) + " ";
    write_file(folder / "text.txt", text);
    write_file(folder / "half.txt", text.substr(0, text.size() / 2));
    VerifyOptions options;
    options.text = folder / "text.txt";
    const std::filesystem::path half = folder / "half.txt";
    options.calibration = read_calibration_text({&half, 1});
    options.n_ctx = 64;
    options.quick = true;
    const Evidence evidence = verify(model, {&model, 1}, options);
    CHECK(evidence.overlap_with_calibration > 0.4);
    CHECK(evidence.overlap_with_calibration < 0.6);
    CHECK(evidence.calibration_sha256 == sha256_of_file(folder / "half.txt"));
}

TEST_CASE("impossible wishes are refused") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Model model = tiny(folder, "o.gguf", 1);
    CHECK_THROWS_WITH_AS(verify(model, {}, {}), doctest::Contains("no candidate"), UsageError);
    VerifyOptions options;
    options.n_ctx = 32;
    CHECK_THROWS_WITH_AS(verify(model, {&model, 1}, options), doctest::Contains("at least 64"), UsageError);
    options.n_ctx = 4096;
    CHECK_THROWS_WITH_AS(verify(model, {&model, 1}, options), doctest::Contains("trained on 2048"), UsageError);
}
