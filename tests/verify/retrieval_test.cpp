#include "verify/retrieval.h"

#include <doctest/doctest.h>

#include <set>

#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"
#include "verify/evaluation_text.h"

using namespace ech0;

TEST_CASE("facts are the same for the same seed on every machine, and none is like another") {
    const std::vector<Fact> facts = make_facts(1, 5);
    // std::mt19937_64 is fixed by the standard, so these may never change
    CHECK(facts[0].sentence_begin + " " + facts[0].value ==
          make_facts(1, 1)[0].sentence_begin + " " + make_facts(1, 1)[0].value);
    std::set<std::string> names, values;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        for (const Fact& fact : make_facts(seed, 5)) {
            names.insert(fact.sentence_begin);
            values.insert(fact.value);
            CHECK(fact.value.size() == 5);
        }
    }
    CHECK(names.size() == 100);
    CHECK(values.size() >= 99);  // of 90,000 numbers
}

TEST_CASE("every depth is asked once per trial, with the same outcome each time") {
    const TemporaryFolder folder;
    write_tiny_model({.n_ctx_train = 2048}, folder / "m.gguf");
    const Model model = read_model((folder / "m.gguf").string());
    Session session(model, {.n_ctx = 1024});
    const RetrievalOptions options{.n_ctx = 1024, .n_trials = 2};
    const std::vector<Retrieval> first =
        measure_retrieval(session, "An ordinary text. It goes round when it is too short. ", options);
    const std::vector<Retrieval> again =
        measure_retrieval(session, "An ordinary text. It goes round when it is too short. ", options);
    REQUIRE(first.size() == 5);
    for (size_t d = 0; d < 5; ++d) {
        CHECK(first[d].depth == doctest::Approx(0.1 + 0.2 * static_cast<double>(d)));
        CHECK(first[d].n_trials == 2);
        CHECK(first[d].n_hits == 0);  // a random network knows no five digits
        CHECK(first[d].n_preferred == again[d].n_preferred);
    }
}

TEST_CASE("a context too small for the facts, and an empty text, are refused") {
    const TemporaryFolder folder;
    write_tiny_model({.n_ctx_train = 2048}, folder / "m.gguf");
    const Model model = read_model((folder / "m.gguf").string());
    Session session(model, {.n_ctx = 1024});
    CHECK_THROWS_WITH_AS(measure_retrieval(session, "text", {.n_ctx = 200}), doctest::Contains("too small"),
                         UsageError);
    CHECK_THROWS_AS(measure_retrieval(session, "", {}), UsageError);
}

TEST_CASE("a real model finds facts that a random one can't") {
    Model demo;
    try {
        demo = read_model("demo");
    } catch (const UsageError&) {
        MESSAGE("the demo model is not here: 'make demo' fetches it");
        return;
    }
    Session session(demo, {.n_ctx = 512});
    int64_t n_trials = 0, n_hits = 0, n_preferred = 0;
    for (const Retrieval& at :
         measure_retrieval(session, load_evaluation_text({}).content, {.n_ctx = 512, .n_trials = 4})) {
        n_trials += at.n_trials, n_hits += at.n_hits, n_preferred += at.n_preferred;
    }
    CHECK(n_trials == 20);
    CHECK(n_hits >= 5);
    CHECK(n_preferred >= 10);  // guessing: 4
}
