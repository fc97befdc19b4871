#include "verify/greedy.h"

#include <doctest/doctest.h>

#include "support/temporary_folder.h"
#include "support/tiny_model.h"
#include "runtime/divergence.h"

using namespace ech0;

TEST_CASE("the common beginning is a share of the original") {
    CHECK(common_prefix({1, 2, 3, 4}, {1, 2, 3, 4}) == 1);
    CHECK(common_prefix({1, 2, 3, 4}, {1, 2, 5}) == 0.5);
    CHECK(common_prefix({1, 2, 3, 4}, {1, 2, 3}) == 0.75);
    CHECK(common_prefix({1, 2}, {1, 2, 3, 4}) == 1);  // the original ended, the candidate was not asked beyond
    CHECK(common_prefix({1}, {2}) == 0);
    CHECK(common_prefix({1}, {}) == 0);
    CHECK(common_prefix({}, {}) == 1);
}

TEST_CASE("a greedy continuation takes the likeliest token at every step") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const Model model = read_model((folder / "m.gguf").string());
    Session session(model, {.n_ctx = 128});
    const Tokens prompt = session.tokenize("the text goes on", true, false);
    const Tokens continuation = continue_greedily(session, prompt, 16);
    REQUIRE(!continuation.empty());
    // all at once, from nothing: every token must be the favourite after those before it
    Tokens all = prompt;
    all.insert(all.end(), continuation.begin(), continuation.end());
    session.truncate(0);
    const auto logits = session.decode(all, static_cast<int64_t>(prompt.size()) - 1);
    for (size_t i = 0; i < continuation.size(); ++i) {
        CHECK(top1(logits.subspan(i * session.n_vocab(), session.n_vocab())) == continuation[i]);
    }
    CHECK(continue_greedily(session, prompt, 16) == continuation);
    CHECK(continue_greedily(session, prompt, 16, continuation) == continuation);
    CHECK(continue_greedily(session, prompt, 3).size() == 3);
}

TEST_CASE("following another continuation stops after the first other token") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const Model model = read_model((folder / "m.gguf").string());
    Session session(model, {.n_ctx = 128});
    const Tokens prompt = session.tokenize("the text goes on", true, false);
    Tokens other = continue_greedily(session, prompt, 16);
    REQUIRE(other.size() == 16);
    other[5] += 1;
    const Tokens followed = continue_greedily(session, prompt, 16, other);
    CHECK(followed.size() == 6);
    CHECK(common_prefix(other, followed) == 5.0 / 16);
}

TEST_CASE("prompts are spread over the text") {
    const TemporaryFolder folder;
    write_tiny_model({.architecture = "gemma3"}, folder / "m.gguf");
    const Model model = read_model((folder / "m.gguf").string());
    const Session session(model, {.n_ctx = 128});
    std::string text;
    for (int i = 0; i < 200; ++i) text += "word" + std::to_string(i) + " ";
    const Tokens tokens = session.tokenize(text, false, false);
    const std::vector<Tokens> prompts = pick_prompts(session, text, 4, 10);
    REQUIRE(prompts.size() == 4);
    for (size_t p = 0; p < 4; ++p) {
        const int64_t begin = static_cast<int64_t>(p) * (static_cast<int64_t>(tokens.size()) - 10) / 4;
        CHECK(prompts[p].front() == session.bos());
        CHECK(Tokens(prompts[p].begin() + 1, prompts[p].end()) ==
              Tokens(tokens.begin() + begin, tokens.begin() + begin + 10));
    }
    CHECK(pick_prompts(session, "short", 2, 10).size() == 2);
}
