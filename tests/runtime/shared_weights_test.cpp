#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include "ech0/error.h"
#include "ech0/session.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

struct Tiny {
    TemporaryFolder folder;
    Model model;
    Tiny() {
        write_tiny_model({}, folder / "m.gguf");
        model = read_model((folder / "m.gguf").string());
    }
};

}  // namespace

TEST_CASE("a session on the weights of another says the same, batch by batch, leaves it alone and outlives it") {
    const Tiny tiny;
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < 40; i++) tokens.push_back(i * 7 % 50);
    const SessionOptions options{.n_ctx = 64, .n_batch = 16, .n_outputs = 16, .n_threads = 1};
    std::optional<Session> session(std::in_place, tiny.model, options);
    Session side(*session, options);
    const auto read = [&](Session& reader) {
        reader.truncate(0);
        const std::span<const float> logits = reader.decode(tokens, 30);
        return std::vector<float>(logits.begin(), logits.end());
    };
    const std::vector<float> beside = read(side);
    CHECK(side.n_past() == 40);
    CHECK(session->n_past() == 0);
    REQUIRE(beside.size() == 10 * static_cast<size_t>(side.n_vocab()));
    CHECK(beside == read(*session));
    session.reset();
    CHECK(beside == read(side));
}

TEST_CASE("a session on the weights of another refuses what doesn't fit it") {
    const Tiny tiny;
    const Session session(tiny.model, {.n_ctx = 32, .n_outputs = 1, .n_threads = 1});
    Session side(session, {.n_ctx = 256, .n_outputs = 1, .n_threads = 1});
    side.decode(std::vector<int32_t>(200, 1), 200);
    CHECK_THROWS_WITH_AS(side.decode(std::vector<int32_t>(57, 1), 57),
                         "57 tokens after 200 do not fit a context of 256; use a larger --ctx", UsageError);
    CHECK_THROWS_WITH_AS(side.decode(std::vector<int32_t>{-1}, 1),
                         doctest::Contains("token -1 is outside the vocabulary"), UsageError);
    const auto n_vocab = static_cast<int32_t>(side.n_vocab());
    CHECK_THROWS_WITH_AS(side.decode(std::vector<int32_t>{n_vocab}, 1), doctest::Contains("is outside the vocabulary"),
                         UsageError);
    // Heads of 16, which blocks of 32 don't divide: the engine says no.
    CHECK_THROWS_WITH_AS(Session(session, {.n_ctx = 64, .n_threads = 1, .type_k = "q8_0", .type_v = "q8_0"}),
                         doctest::Contains("create a context of 64 tokens, K q8_0, V q8_0"), EngineError);
}
