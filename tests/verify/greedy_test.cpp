#include "verify/greedy.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "runtime/divergence.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

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

TEST_CASE("a greedy continuation takes the likeliest token at every step, of every prompt") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const Model model = read_model((folder / "m.gguf").string());
    Session session(model, {.n_ctx = 128});
    const std::vector<Tokens> prompts = {session.tokenize("the text goes on", true, false),
                                         session.tokenize("and another one that is longer", true, false),
                                         session.tokenize("x", true, false)};
    int64_t n_steps = 0;
    const std::vector<Tokens> said =
        continue_greedily(session, prompts, 16, 0, [&](int64_t step) { CHECK(step == n_steps++); });
    CHECK(n_steps == 16);
    REQUIRE(said.size() == prompts.size());
    for (size_t p = 0; p < prompts.size(); ++p) {
        // alone and all at once: every token must be the favourite after those before it
        CHECK(said[p].size() == 16);
        Tokens all = prompts[p];
        all.insert(all.end(), said[p].begin(), said[p].end());
        session.truncate(0);
        const auto logits = session.decode(all, static_cast<int64_t>(prompts[p].size()) - 1);
        for (size_t i = 0; i < said[p].size(); ++i) {
            CHECK(top1(logits.subspan(i * session.n_vocab(), session.n_vocab())) == said[p][i]);
        }
    }
    CHECK(continue_greedily(session, prompts, 16, 0) == said);
}

TEST_CASE("a continuation stops with the token that ends a text") {
    const TemporaryFolder folder;
    // of many random networks one says its end token among the first
    for (uint64_t seed = 1; seed < 200; ++seed) {
        write_tiny_model({.seed = seed}, folder / "m.gguf");
        const Model model = read_model((folder / "m.gguf").string());
        Session session(model, {.n_ctx = 64});
        const std::vector<Tokens> said =
            continue_greedily(session, {session.tokenize("the text goes on", true, false)}, 32, 0);
        if (said[0].size() == 32) continue;
        CHECK(session.is_end(said[0].back()));
        CHECK(std::none_of(said[0].begin(), said[0].end() - 1, [&](int32_t token) { return session.is_end(token); }));
        return;
    }
    FAIL("no network ended its text");
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
