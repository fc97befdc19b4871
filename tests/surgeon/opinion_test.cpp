#include "surgeon/opinion.h"

#include <doctest/doctest.h>

#include <string>

namespace ech0 {
namespace {

Brief brief() {
    Brief b;
    b.facts = {{"n_layer", 30, "30 layers", "computed"},
               {"ffn_params", 106191360, "feed-forward parts: 106.2 million weights", "computed"}};
    return b;
}

}  // namespace

TEST_CASE("claims count as exactly as they were written, and once") {
    const Opinion opinion = read_opinion(
        brief(), R"({"answer": "It has 30 layers.", "claims": [{"fact": "ffn_params", "number": 1.06191e+08},
            {"fact": "n_layer", "number": 32}, {"fact": "n_layer", "number":32}]})");
    CHECK(opinion.complete);
    CHECK(opinion.answer == "It has 30 layers.");
    REQUIRE(opinion.claims.size() == 3);
    CHECK(opinion.claims[0].fact == "n_layer");  // in the words
    CHECK(opinion.claims[1].number == "1.06191e+08");
    CHECK(opinion.claims[1].finding == Finding::confirmed);
    CHECK(opinion.claims[2].number == "32");
    CHECK(opinion.claims[2].finding == Finding::wrong);
}

TEST_CASE("numbers of an answer that broke off are judged, too") {
    const std::string whole = R"({"answer": "It has 30 layers, says \"Q4_K\".", "claims": []})";
    for (size_t n = 0; n < whole.size(); n++) {
        const Opinion opinion = read_opinion(brief(), whole.substr(0, n));
        CHECK_FALSE(opinion.complete);
        if (n >= whole.find(" says")) {
            REQUIRE_MESSAGE(opinion.claims.size() == 1, n);
            CHECK(opinion.claims[0].finding == Finding::confirmed);
            CHECK(opinion.answer.starts_with("It has 30 layers"));
        }
    }
    CHECK(read_opinion(brief(), whole).complete);
    CHECK_FALSE(read_opinion(brief(), R"({"answer": ")" + std::string(600, 'a') + R"(", "claims": []})").complete);
    CHECK_FALSE(read_opinion(brief(), R"({"answer": 3, "claims": []})").complete);
}

}  // namespace ech0
