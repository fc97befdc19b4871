#include "runtime/sequences.h"

#include <doctest/doctest.h>

#include <cmath>

#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

struct Loaded {
    TemporaryFolder folder;
    Model model;

    explicit Loaded(const std::string& architecture) {
        write_tiny_model({.architecture = architecture}, folder / "m.gguf");
        model = read_model((folder / "m.gguf").string());
    }
};

}  // namespace

TEST_CASE("sequences decoded together give what each gives alone") {
    for (const char* architecture : {"llama", "gemma3"}) {
        const Loaded loaded(architecture);
        Session session(loaded.model, {.n_ctx = 256});
        Sequences sequences(session, 3, 128, 0);
        const std::vector<std::vector<int32_t>> first = {{5, 6, 7}, {8}, {9, 10, 11, 12, 13}},
                                                second = {{20}, {21, 22}, {23}};
        sequences.decode(first);
        const auto together = sequences.decode(second);
        for (size_t s = 0; s < 3; ++s) {
            session.truncate(0);
            session.decode(first[s], 0);
            const auto alone = session.decode(second[s], static_cast<int64_t>(second[s].size()) - 1);
            double largest = 0;
            for (int64_t i = 0; i < session.n_vocab(); ++i) {
                largest =
                    std::max(largest, std::abs(static_cast<double>(alone[i]) - together[s * session.n_vocab() + i]));
            }
            CHECK(largest < 1e-3);  // another width of batch rounds differently
        }
    }
}

TEST_CASE("the same sequences give the same bits") {
    const Loaded loaded("llama");
    Session session(loaded.model, {.n_ctx = 64});
    const std::vector<std::vector<int32_t>> tokens = {{5, 6, 7}, {8, 9}};
    Sequences a(session, 2, 64, 2), b(session, 2, 64, 2);
    const auto x = a.decode(tokens), y = b.decode(tokens);
    CHECK(std::equal(x.begin(), x.end(), y.begin(), y.end()));
}

TEST_CASE("sequences without room, tokens or a vocabulary for them are refused") {
    const Loaded loaded("llama");
    Session session(loaded.model, {.n_ctx = 64});
    Sequences sequences(session, 2, 4, 0);
    const auto decode = [&](const std::vector<std::vector<int32_t>>& tokens) { return sequences.decode(tokens); };
    CHECK_THROWS_WITH_AS(decode({{1}}), "tokens for 1 sequences, wanted 2", UsageError);
    CHECK_THROWS_AS(decode({{1}, {}}), UsageError);
    CHECK_THROWS_AS(decode({{1}, {1, 2, 3, 4, 5}}), UsageError);
    CHECK_THROWS_AS(decode({{1}, {-1}}), UsageError);
    CHECK_THROWS_AS(decode({{1}, {static_cast<int32_t>(session.n_vocab())}}), UsageError);
    decode({{1, 2, 3}, {1}});
    CHECK_THROWS_WITH_AS(decode({{1, 2}, {1}}), "sequence 0: 2 tokens after 3; wanted 1 at least and 4 in all at most",
                         UsageError);
    CHECK_THROWS_AS(Sequences(session, 0, 4, 0), UsageError);
    CHECK_THROWS_AS(Sequences(session, 1000000, 4, 0), UsageError);
}
