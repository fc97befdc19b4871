#include "report/run_difference.h"

#include <doctest/doctest.h>

#include "report/verify.h"

using namespace ech0;

namespace {

Evidence proof(const std::string& candidate, double kl) {
    Evidence e;
    e.original.path = "original.gguf";
    e.original.sha256 = "aa";
    e.text_sha256 = "tt";
    e.n_ctx = 512;
    e.n_chunks = 40;
    e.engine = "engine 1";
    Candidate c;
    c.path = candidate;
    c.sha256 = candidate;
    c.kl_divergence = {kl, kl - 0.03, kl + 0.03, kl / 2, kl * 4};
    e.candidates.push_back(c);
    return e;
}

}  // namespace

TEST_CASE("proofs of one original, text, context and engine may be compared; half-widths add as squares") {
    const Evidence a = proof("a.gguf", 0.5), b = proof("b.gguf", 0.2);
    CHECK(why_not_comparable(a, b).empty());
    const std::string text = difference_text(a, b, {});
    CHECK(text.find("a.gguf minus b.gguf: 0.3000 [0.2576, 0.3424]: the second is closer") != std::string::npos);
    CHECK(difference_text(a, proof("c.gguf", 0.51), {}).find("no difference shown") != std::string::npos);
    CHECK(difference_text(a, a, {}).find("the same file") != std::string::npos);
}

TEST_CASE("each thing that differs is a reason not to compare") {
    const Evidence a = proof("a.gguf", 0.5);
    Evidence b = a;
    b.original.sha256 = "bb", b.text_sha256 = "uu", b.n_ctx = 256, b.n_chunks = 12, b.engine = "engine 2";
    const std::vector<std::string> reasons = why_not_comparable(a, b);
    REQUIRE(reasons.size() == 5);
    CHECK(reasons[2] == "tokens of context: 512 and 256");
}

TEST_CASE("the proof is found in the reports that carry one") {
    const Json verify = verify_json(proof("a.gguf", 0.5));
    CHECK(evidence_of(verify)->candidates.front().path == "a.gguf");
    CHECK(evidence_of({{"schema", "ech0.compress/1"}, {"evidence", verify}})->n_ctx == 512);
    CHECK(evidence_of({{"schema", "ech0.optimize/1"}, {"verify", verify}}));
    CHECK_FALSE(evidence_of({{"schema", "ech0.compress/1"}}));
    CHECK_FALSE(evidence_of({{"schema", "ech0.doctor/1"}}));
}
