#include "report/schema.h"

#include <doctest/doctest.h>

#include <algorithm>

#include <filesystem>

#include "base/file.h"
#include "ech0/error.h"

using namespace ech0;

namespace {

Json bench_run() {
    return Json::parse(R"({"schema": "ech0.bench/1", "machine": "x", "n_prompt": 1, "n_generate": 1, "n_ctx": 64,
        "kv_type": "f16", "fastest": "m", "models": [{"path": "m", "first_token_s": 0.5,
        "tokens_per_s": {}, "prompt_tokens_per_s": {}, "memory_bytes": {}}]})");
}

}  // namespace

TEST_CASE("a run as docs/json.md describes it has no fault, and a later version may add keys") {
    Json run = bench_run();
    CHECK(schema_faults(run, 9).empty());
    run["colour"] = "red";
    CHECK(schema_faults(run, 9).empty());
    run["models"][0]["first_token_s"] = 1;  // an integer is a number
    CHECK(schema_faults(run, 9).empty());
}

TEST_CASE("a missing key, a wrong type and an unknown format are named with their place") {
    Json run = bench_run();
    run.erase("machine");
    run["n_ctx"] = "many";
    run["models"][0]["path"] = nullptr;
    CHECK(schema_faults(run, 9) == std::vector<std::string>{"machine is missing", "n_ctx is string, wanted integer",
                                                            "models[0].path is null, wanted string"});
    CHECK(schema_faults(run, 2).size() == 2);
    CHECK(schema_faults(Json::array(), 9) == std::vector<std::string>{"it is array, wanted an object"});
    CHECK(schema_faults(Json{{"schema", "ech9.bench/1"}}, 9).front().find("this ech0 reads ech0.inspect/1") !=
          std::string::npos);
    CHECK(schema_faults(Json{{"schema", 3}}, 9).front().find("no 'schema'") != std::string::npos);
}

TEST_CASE("a format inside a format is checked too") {
    Json run = {{"schema", "ech0.demo/1"}, {"prompt", ""}, {"answers", {{"original", ""}, {"compressed", ""}}}};
    run["optimize"] = {{"schema", "ech0.optimize/1"}, {"command", ""}, {"seconds", 1}};
    const std::vector<std::string> faults = schema_faults(run, 9);
    CHECK(std::find(faults.begin(), faults.end(), "optimize.inspect is missing") != faults.end());
}

TEST_CASE("JSON Schema says type, parts, what must be there and what a key means") {
    const Json schema = json_schema("ech0.bench/1");
    CHECK(schema["properties"]["schema"]["const"] == "ech0.bench/1");
    CHECK(schema["properties"]["n_ctx"]["type"] == "integer");
    CHECK(schema["properties"]["models"]["items"]["properties"]["first_token_s"]["description"] ==
          "time to read the prompt");
    const Json required = schema["required"];
    CHECK(std::find(required.begin(), required.end(), "machine") != required.end());
    CHECK(json_schema("ech0.demo/1")["$defs"].contains("ech0.verify"));
    CHECK_THROWS_WITH_AS(json_schema("ech0.nothing/1"), doctest::Contains("there are ech0.inspect/1"), UsageError);
}

TEST_CASE("docs/schemas is written from docs/json.md: after a change run `make schemas`") {
    const std::filesystem::path folder = ECH0_SOURCE_FOLDER "/docs/schemas";
    size_t n_files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) n_files += entry.is_regular_file() ? 1 : 0;
    CHECK(n_files == schema_names().size());
    for (std::string name : schema_names()) {
        const std::string wanted = json_text(json_schema(name));
        name.replace(name.find('/'), 1, "-");
        CAPTURE(name);
        REQUIRE(std::filesystem::exists(folder / (name + ".json")));
        CHECK(read_file(folder / (name + ".json")) == wanted);
    }
}
