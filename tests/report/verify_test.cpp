#include "report/verify.h"

#include <doctest/doctest.h>

#include <set>

#include "ech0/error.h"

using namespace ech0;

namespace {

Evidence make_evidence() {
    Evidence e;
    e.original.path = "/models/original.gguf";
    e.original.sha256 = std::string(64, 'a');
    e.original.size_bytes = 384325376;
    e.original.bits_per_weight = 16.0625;
    e.original.perplexity = 34.498;
    e.original.perplexity_low = 30.5;
    e.original.perplexity_high = 39.25;
    e.original.tokens_per_s = 41.5;
    e.original.prompt_tokens_per_s = 400.25;
    e.original.peak_memory_bytes = int64_t{1} << 30;
    e.original.retrieval = {{0.1, 5, 4, 5}, {0.9, 5, 5, 5}};
    e.text_path = "embedded";
    e.text_sha256 = std::string(64, 'b');
    e.n_tokens = 10200, e.n_chunks = 40, e.n_ctx = 512;
    e.engine = "llama.cpp 1", e.command = "ech0 verify", e.machine = "a processor, 2 threads";
    e.calibration_path = "embedded", e.calibration_sha256 = std::string(64, 'c');
    e.workload = {16, 64, 1024, 512, 64, 2048, 3};
    e.seconds = 65.5;
    for (const double kl : {0.25, 0.0003}) {
        Candidate c;
        static_cast<Measured&>(c) = e.original;
        c.path = kl > 0.1 ? "/models/coarse.gguf" : "/models/fine.gguf";
        c.kl_divergence = {kl, kl / 2, kl * 2, kl / 3, kl * 9};
        c.top1_agreement = {0.75, 0.7, 0.8};
        c.greedy_agreement = 0.5, c.greedy_agreement_low = 0.25, c.greedy_agreement_high = 0.75;
        e.candidates.push_back(c);
    }
    e.paired = {{0, 1, {0.2497, 0.2, 0.3}}};
    return e;
}

std::set<std::string> keys(const Json& json) {
    std::set<std::string> names;
    for (const auto& [key, value] : json.items()) names.insert(key);
    return names;
}

}  // namespace

TEST_CASE("evidence as JSON has exactly the documented keys") {
    const Json json = verify_json(make_evidence());
    const std::set<std::string> measured = {
        "path",           "sha256",          "size_bytes",   "bits_per_weight",     "perplexity",
        "perplexity_low", "perplexity_high", "tokens_per_s", "prompt_tokens_per_s", "peak_memory_bytes",
        "retrieval"};
    std::set<std::string> candidate = measured;
    candidate.insert({"kl_quantiles", "kl_by_position", "kl_divergence", "top1_agreement", "top1_agreement_low",
                      "top1_agreement_high", "greedy_agreement", "greedy_agreement_low", "greedy_agreement_high"});
    CHECK(json["schema"] == "ech0.verify/1");
    CHECK(keys(json) == std::set<std::string>{"schema", "original", "text", "calibration_text", "candidates", "paired",
                                              "workload", "engine", "machine", "command", "seconds", "comparable"});
    CHECK(keys(json["original"]) == measured);
    CHECK(keys(json["candidates"][0]) == candidate);
    CHECK(keys(json["candidates"][0]["kl_divergence"]) ==
          std::set<std::string>{"mean", "low", "high", "median", "p99"});
    CHECK(keys(json["text"]) == std::set<std::string>{"path", "sha256", "n_tokens", "n_chunks", "n_ctx"});
    CHECK(keys(json["calibration_text"]) == std::set<std::string>{"path", "sha256", "overlap"});
    CHECK(keys(json["paired"][0]) == std::set<std::string>{"a", "b", "kl_difference"});
    CHECK(keys(json["original"]["retrieval"][0]) ==
          std::set<std::string>{"depth", "n_trials", "n_hits", "n_preferred"});
    CHECK(json["comparable"].size() == 4);
}

TEST_CASE("evidence read back from its JSON is the same") {
    const Json json = verify_json(make_evidence());
    CHECK(verify_json(evidence_from_json(Json::parse(json.dump()))).dump() == json.dump());
}

TEST_CASE("what was not measured is null, and says nothing in the text") {
    Evidence quick = make_evidence();
    quick.workload = {};
    quick.original.retrieval.clear();
    const Json json = verify_json(quick);
    for (const char* key : {"tokens_per_s", "prompt_tokens_per_s", "peak_memory_bytes", "retrieval"})
        CHECK(json["original"][key].is_null());
    CHECK(json["candidates"][0]["greedy_agreement"].is_null());
    CHECK(evidence_from_json(json).original.tokens_per_s == 0);
    const std::string text = verify_text(quick);
    CHECK(text.find("tokens/s") == std::string::npos);
    CHECK(text.find("hidden") == std::string::npos);
    CHECK(text.find("greedily") == std::string::npos);
}

TEST_CASE("JSON of another kind is refused") {
    Json json = verify_json(make_evidence());
    json["schema"] = "ech0.bench/1";
    CHECK_THROWS_WITH_AS(evidence_from_json(json), doctest::Contains("wanted ech0.verify/1"), FormatError);
    json = verify_json(make_evidence());
    json["original"].erase("sha256");
    CHECK_THROWS_WITH_AS(evidence_from_json(json), doctest::Contains("sha256"), FormatError);
    json = verify_json(make_evidence());
    json["paired"][0]["b"] = 70;
    CHECK_THROWS_WITH_AS(evidence_from_json(json), doctest::Contains("candidate 70"), FormatError);
    json["paired"][0]["b"] = -1;
    CHECK_THROWS_AS(evidence_from_json(json), FormatError);
    json = verify_json(make_evidence());
    json["seconds"] = "long";
    CHECK_THROWS_AS(evidence_from_json(json), FormatError);
    CHECK_THROWS_AS(evidence_from_json(Json::array()), FormatError);
}

TEST_CASE("the text names files, figures with intervals, the closer candidate, and what may be compared") {
    const std::string text = verify_text(make_evidence());
    for (const char* wanted :
         {"original.gguf (original)", "coarse.gguf", "0.2500  [0.1250, 0.5000]", "0.000300  [0.000150, 0.000600]",
          "75.0 %  [70.0, 80.0]", "coarse.gguf minus fine.gguf: 0.2497 [0.2000, 0.3000]: fine.gguf is closer",
          "40 chunks of 512 tokens, 10,200 tokens scored", "none of its 13-word sequences", "34.498  [30.50, 39.25]",
          "9/10", "1.00 GiB", "What may be compared"}) {
        CAPTURE(text);
        CHECK(text.find(wanted) != std::string::npos);
    }
    CHECK(text.find("/models/") == std::string::npos);
}

TEST_CASE("candidates of one name keep their folders") {
    Evidence e = make_evidence();
    e.candidates[0].path = "/x/same.gguf", e.candidates[1].path = "/y/same.gguf";
    CHECK(verify_text(e).find("/y/same.gguf") != std::string::npos);
}

TEST_CASE("overlap with the calibration text is a warning") {
    Evidence e = make_evidence();
    e.overlap_with_calibration = 0.125;
    CHECK(verify_text(e).find("12.50 % of its 13-word sequences") != std::string::npos);
    CHECK(verify_text(e).find("better here than they are") != std::string::npos);
    CHECK(comparability(make_evidence()).size() + 1 == comparability(e).size());
}
