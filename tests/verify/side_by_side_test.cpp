#include "verify/side_by_side.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/file.h"
#include "ech0/error.h"
#include "runtime/divergence.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

/// Words enough for some thousand tokens, no line like another.
EvaluationText make_text(int n_lines) {
    EvaluationText text{.name = "test", .sha256 = "", .content = ""};
    for (int i = 0; i < n_lines; ++i)
        text.content += "line " + std::to_string(i * 7919 % 1000) + " of the text, and so on\n";
    return text;
}

Model tiny(const TemporaryFolder& folder, const std::string& name, TinyModel model) {
    write_tiny_model(model, folder / name);
    return read_model((folder / name).string());
}

/// What llama-perplexity does, written down plainly: whole chunks in one call each, every position by the formulas.
CandidateScores score_plainly(const Model& original, const Model& candidate, const EvaluationText& text,
                              int64_t n_ctx) {
    Session a(original, {.n_ctx = n_ctx, .n_batch = n_ctx}), b(candidate, {.n_ctx = n_ctx, .n_batch = n_ctx});
    const std::vector<int32_t> tokens = a.tokenize(text.content.substr(0, text.content.size() - 1), true, false);
    CandidateScores scores;
    for (size_t begin = 0; begin + n_ctx <= tokens.size(); begin += n_ctx) {
        std::vector<int32_t> chunk(tokens.begin() + begin, tokens.begin() + begin + n_ctx);
        if (a.adds_bos()) chunk[0] = a.bos();
        a.truncate(0), b.truncate(0);
        const auto x = a.decode(chunk, 0), y = b.decode(chunk, 0);
        for (int64_t i = n_ctx / 2; i < n_ctx - 1; ++i) {
            const int64_t n = a.n_vocab();
            const Score score = compare_plainly(x.subspan(i * n, n), y.subspan(i * n, n), chunk[i + 1]);
            scores.kl_divergence.push_back(static_cast<float>(score.kl_divergence));
            scores.nll.push_back(static_cast<float>(score.nll_candidate));
            scores.same_top1.push_back(score.same_top1 ? 1.0F : 0.0F);
        }
    }
    return scores;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
    return largest;
}

}  // namespace

TEST_CASE("two models side by side give what the formulas give position by position") {
    const TemporaryFolder folder;
    // 1200 tokens are three batches of the engine, 128 one; gemma3 begins chunks with BOS and has a sliding window
    for (const auto& [architecture, n_ctx] :
         {std::pair<std::string, int64_t>{"llama", 128}, {"gemma3", 128}, {"qwen2", 1200}}) {
        CAPTURE(architecture);
        const Model original = tiny(folder, "a.gguf", {.architecture = architecture, .n_ctx_train = 2048, .seed = 1});
        const Model candidate = tiny(folder, "b.gguf", {.architecture = architecture, .n_ctx_train = 2048, .seed = 2});
        const EvaluationText text = make_text(200);
        const SideBySide result = side_by_side(original, {&candidate, 1}, text, {.n_ctx = n_ctx});
        const CandidateScores plain = score_plainly(original, candidate, text, n_ctx);
        CHECK(result.n_chunks > 1);
        CHECK(static_cast<int64_t>(result.nll_original.size()) == result.n_chunks * (n_ctx - 1 - n_ctx / 2));
        CHECK(largest_difference(result.candidates[0].kl_divergence, plain.kl_divergence) <
              2e-4);  // batches change rounding
        CHECK(largest_difference(result.candidates[0].nll, plain.nll) < 2e-3);
        CHECK(*std::max_element(plain.kl_divergence.begin(), plain.kl_divergence.end()) >
              1e-3);  // the models do differ
    }
}

TEST_CASE("a file beside itself has divergence 0 and always the same top token") {
    const TemporaryFolder folder;
    const Model model = tiny(folder, "a.gguf", {});
    const SideBySide result = side_by_side(model, {&model, 1}, make_text(100), {.n_ctx = 64, .n_chunks = 3});
    CHECK(result.n_chunks == 3);
    for (const float kl : result.candidates[0].kl_divergence) CHECK(kl == 0);
    for (const float same : result.candidates[0].same_top1) CHECK(same == 1);
    CHECK(result.candidates[0].nll == result.nll_original);
}

TEST_CASE("several candidates give what each gives alone") {
    const TemporaryFolder folder;
    const Model original = tiny(folder, "a.gguf", {.seed = 1});
    const std::vector<Model> candidates = {tiny(folder, "b.gguf", {.seed = 2}), tiny(folder, "c.gguf", {.seed = 3})};
    const EvaluationText text = make_text(60);
    const SideBySide both = side_by_side(original, candidates, text, {.n_ctx = 64});
    for (size_t c = 0; c < candidates.size(); ++c) {
        const SideBySide one = side_by_side(original, {&candidates[c], 1}, text, {.n_ctx = 64});
        CHECK(one.candidates[0].kl_divergence == both.candidates[c].kl_divergence);
        CHECK(one.nll_original == both.nll_original);
    }
}

TEST_CASE("other vocabularies are refused with both names and the difference") {
    const TemporaryFolder folder;
    const Model llama = tiny(folder, "llama.gguf", {});
    const Model gemma = tiny(folder, "gemma.gguf", {.architecture = "gemma3"});
    const EvaluationText text = make_text(100);
    CHECK_THROWS_WITH_AS(side_by_side(llama, {&gemma, 1}, text, {.n_ctx = 64}),
                         doctest::Contains("gemma.gguf have different vocabularies"), UsageError);
    CHECK_THROWS_WITH_AS(side_by_side(llama, {&gemma, 1}, text, {.n_ctx = 64}), doctest::Contains("llama.gguf and"),
                         UsageError);
}

TEST_CASE("one token with another meaning is found") {
    const TemporaryFolder folder;
    const Model original = tiny(folder, "a.gguf", {});
    const Session session(original, {.n_ctx = 64});
    const std::vector<int32_t> words = session.tokenize(" the", false, false);  // a token of its own
    REQUIRE(words.size() == 1);
    // as the file stores it: length, and the blank as U+0120
    const std::string stored = std::string{5, 0, 0, 0, 0, 0, 0, 0} + "\xC4\xA0the";
    std::string bytes = read_file(folder / "a.gguf");
    const size_t place = bytes.find(stored);
    REQUIRE(place != std::string::npos);
    bytes[place + stored.size() - 1] = '#';
    write_file(folder / "b.gguf", bytes);
    const Model changed = read_model((folder / "b.gguf").string());
    CHECK_THROWS_WITH_AS(side_by_side(original, {&changed, 1}, make_text(100), {.n_ctx = 64}),
                         doctest::Contains(("token " + std::to_string(words[0]) + " is \" the\" in one").c_str()),
                         UsageError);
}

TEST_CASE("a text shorter than one chunk is refused with its length") {
    const TemporaryFolder folder;
    const Model model = tiny(folder, "a.gguf", {});
    CHECK_THROWS_WITH_AS(side_by_side(model, {&model, 1}, make_text(1), {.n_ctx = 128}),
                         doctest::Contains("wanted at least one chunk of 128"), UsageError);
    CHECK_THROWS_WITH_AS(side_by_side(model, {}, make_text(100), {.n_ctx = 128}), doctest::Contains("no candidate"),
                         UsageError);
}

TEST_CASE("chunks are cut as llama-perplexity cuts them") {
    const TemporaryFolder folder;
    const Model gemma = tiny(folder, "g.gguf", {.architecture = "gemma3"});
    const Session session(gemma, {.n_ctx = 64});
    REQUIRE(session.adds_bos());
    const EvaluationText text = make_text(50);
    const Chunks chunks = evaluation_chunks(session, text, 64, 0);
    const std::vector<int32_t> tokens = session.tokenize(text.content.substr(0, text.content.size() - 1), true, false);
    CHECK(chunks.size() == tokens.size() / 64);
    for (size_t c = 0; c < chunks.size(); ++c) {
        CHECK(chunks[c].size() == 64);
        CHECK(chunks[c][0] == session.bos());
        CHECK(std::equal(chunks[c].begin() + 1, chunks[c].end(), tokens.begin() + static_cast<int64_t>(c) * 64 + 1));
    }
    CHECK(evaluation_chunks(session, text, 64, 2).size() == 2);
    CHECK(evaluation_chunks(session, text, 64, 1000).size() == chunks.size());
}

TEST_CASE("an evaluation text is embedded, or a file that is not empty") {
    const TemporaryFolder folder;
    CHECK(load_evaluation_text({}).name == "embedded");
    write_file(folder / "t.txt", "abc");
    const EvaluationText text = load_evaluation_text(folder / "t.txt");
    CHECK(text.content == "abc");
    CHECK(text.sha256 ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4, example B.1
    write_file(folder / "empty.txt", "");
    CHECK_THROWS_AS(load_evaluation_text(folder / "empty.txt"), UsageError);
    CHECK_THROWS_AS(load_evaluation_text(folder / "none.txt"), FileError);
}
