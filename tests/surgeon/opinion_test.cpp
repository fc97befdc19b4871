#include "surgeon/opinion.h"

#include <doctest/doctest.h>

namespace ech0 {
namespace {

Brief brief() {
    Brief b;
    b.facts = {{"n_layer", 30, "30 layers", "computed"},
               {"n_params", 134515008, "134.5 million weights", "computed"},
               {"kl_remove_10_percent", 0.04317, "", "predicted"}};
    return b;
}

}  // namespace

TEST_CASE("a claim is confirmed as far as its digits go, in plain units or millions") {
    CHECK(check_claim(brief(), "n_layer", "30") == Finding::confirmed);
    CHECK(check_claim(brief(), "n_params", "134.5") == Finding::confirmed);
    CHECK(check_claim(brief(), "n_params", "0.13") == Finding::confirmed);
    CHECK(check_claim(brief(), "kl_remove_10_percent", "0.043") == Finding::confirmed);
}

TEST_CASE("another number for a fact is wrong, and a fact that is none is unsupported") {
    CHECK(check_claim(brief(), "n_layer", "32") == Finding::wrong);
    CHECK(check_claim(brief(), "n_params", "1") == Finding::wrong);
    CHECK(check_claim(brief(), "n_params", "135.5") == Finding::wrong);
    CHECK(check_claim(brief(), "kl_remove_10_percent", "0.044") == Finding::wrong);
    CHECK(check_claim(brief(), "kl_remove_10_percent", "0") == Finding::wrong);
    CHECK(check_claim(brief(), "n_experts_removed", "8") == Finding::unsupported);
}

TEST_CASE("every number in the words is held against all facts") {
    const std::vector<Claim> claims = check_words(brief(), "It has 30 layers, 134.5 million weights and 12.25 heads.");
    REQUIRE(claims.size() == 3);
    CHECK(claims[0].fact == "n_layer");
    CHECK(claims[1].fact == "n_params");
    CHECK(claims[2].finding == Finding::unsupported);
    CHECK(claims[2].fact.empty());
}

}  // namespace ech0
