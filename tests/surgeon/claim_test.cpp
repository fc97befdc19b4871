#include "surgeon/claim.h"

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

TEST_CASE("a number behind a fact's name is held against that fact alone, and digits in names are no numbers") {
    const std::vector<Claim> claims =
        check_words(brief(), "With n_layer = 32 and n_params of 134,515,008, kl_remove_10_percent is 0.043 in Q4_K.");
    REQUIRE(claims.size() == 3);
    CHECK(claims[0].fact == "n_layer");
    CHECK(claims[0].finding == Finding::wrong);
    CHECK(claims[1].fact == "n_params");
    CHECK(claims[1].number == "134515008");
    CHECK(claims[1].finding == Finding::confirmed);
    CHECK(claims[2].fact == "kl_remove_10_percent");
    CHECK(claims[2].finding == Finding::confirmed);
    // Named, but the number is of something else.
    const std::vector<Claim> far = check_words(brief(), "n_layer matters, and 12 friends agree on 3e-5");
    REQUIRE(far.size() == 2);
    CHECK(far[0].finding == Finding::unsupported);
    CHECK(far[1].number == "3e-5");
}

TEST_CASE("a small number counts only beside a word of the fact that has it") {
    Brief b = brief();
    b.facts.push_back({"n_head", 12, "12 query heads in the first layer", "computed"});
    b.facts.push_back({"budget_share_percent", 1.9988, "the file is 2.0 % of that", "computed"});
    CHECK(check_words(b, "It has 12 heads.")[0].fact == "n_head");
    CHECK(check_words(b, "Its number of query heads is 12.")[0].fact == "n_head");
    CHECK(check_words(b, "Heads: 12.")[0].fact == "n_head");
    CHECK(check_words(b, "a set of 12 feed-forward layers")[0].finding == Finding::unsupported);
    CHECK(check_words(b, "1. Prune. 2. Measure.")[1].finding == Finding::unsupported);
    CHECK(check_words(b, "It takes 2 percent")[0].fact == "budget_share_percent");
    CHECK(check_words(b, "134.5 of them")[0].fact == "n_params");  // by its digits alone
}

TEST_CASE("the model's own name is no claim, and a power of ten is as exact as its digits") {
    Brief b = brief();
    b.model = "small-768";
    CHECK(check_words(b, "small-768 is small-768.").empty());
    CHECK(check_claim(b, "kl_remove_10_percent", "4.3e-2") == Finding::confirmed);
    CHECK(check_claim(b, "kl_remove_10_percent", "4.4e-2") == Finding::wrong);
    CHECK(check_claim(b, "kl_remove_10_percent", "3e-5") == Finding::wrong);
    CHECK(check_claim(b, "n_params", "1.345e8") == Finding::confirmed);
}

TEST_CASE("a number that a fact speaks of, as the share it is about, is supported by it") {
    Brief b = brief();
    b.facts[2].says = "removing 10 % of the layers' weights costs a KL divergence of 0.0432 before repair";
    CHECK(check_words(b, "Remove 10 % at once.")[0].finding == Finding::confirmed);
    CHECK(check_words(b, "Remove 10 percent.")[0].finding == Finding::confirmed);
    CHECK(check_words(b, "Remove 1 % at once.")[0].finding == Finding::unsupported);
    CHECK(check_words(b, "Remove 10 layers.")[0].finding == Finding::unsupported);
    CHECK(check_words(b, "Remove 0.10 of it")[0].finding == Finding::unsupported);
    CHECK(check_words(b, "Remove 100 % at once.")[0].finding == Finding::unsupported);
}

}  // namespace ech0
