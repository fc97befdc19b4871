#include <doctest/doctest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

RunOptions in(const TemporaryFolder& folder) {
    RunOptions options;
    options.folder = folder.path();
    options.environment = {{"HOME", folder.path().string()}, {"ECH0_CACHE", (folder / "cache").string()}};
    return options;
}

}  // namespace

TEST_CASE("fit prints options, one recommendation and the command; --explain the arithmetic") {
    const TemporaryFolder folder;
    const Finished ran =
        run_ech0({"fit", "qwen2.5:32b", "qwen2.5:14b", "--machine", "m4-24gb", "--explain"}, in(folder));
    CHECK(ran.err == "");
    CHECK(ran.status == 0);
    for (const char* part : {"17.76 GiB", "Take qwen2.5:", "ech0 compress ", "at most", "perplexity 5.62", "5.52",
                             "does not fit into 17.76 GiB"}) {
        CAPTURE(part);
        CHECK(ran.out.find(part) != std::string::npos);
    }
}

TEST_CASE("fit answers no by its exit status, and says what is missing") {
    const TemporaryFolder folder;
    const Finished ran = run_ech0({"fit", "qwen2.5:72b", "--machine", "m4-24gb", "--min-tps", "50"}, in(folder));
    CHECK(ran.status == 1);
    CHECK(ran.err == "");
    CHECK(ran.out.find("No: ") != std::string::npos);
}

TEST_CASE("fit --json has what docs/json.md says, and its parts agree") {
    const TemporaryFolder folder;
    const Finished ran = run_ech0({"fit", "qwen2.5:7b", "--machine", "m4-24gb", "--ctx", "2048", "--json"}, in(folder));
    REQUIRE(ran.status == 0);
    const json found = json::parse(ran.out);
    CHECK(found["schema"] == "ech0.fit/1");
    CHECK(found["machine"]["name"] == "m4-24gb");
    bool recommended = false;
    for (const json& option : found["options"]) {
        const json& memory = option["memory"];
        CHECK(memory["total_bytes"].get<int64_t>() ==
              memory["weights_bytes"].get<int64_t>() + memory["kv_bytes"].get<int64_t>() +
                  memory["compute_bytes"].get<int64_t>() + memory["runtime_bytes"].get<int64_t>() +
                  memory["loading_bytes"].get<int64_t>());
        CHECK(option["fits"].get<bool>() ==
              (memory["total_bytes"].get<int64_t>() <= found["machine"]["model_budget_bytes"].get<int64_t>()));
        if (option["on_front"].get<bool>()) CHECK(option["fits"].get<bool>());
        recommended = recommended || option["name"] == found["recommendation"]["name"];
    }
    CHECK(recommended);
}

TEST_CASE("fit refuses what it can't know in one line") {
    const TemporaryFolder folder;
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"fit", "qwen2.5:33b", "--machine", "m4-24gb"},
          {"fit", "qwen2.5:7b", "--machine", "m4-25gb"},
          {"fit", "qwen2.5:7b", "--machine", "m4-24gb", "--ctx", "1000000"},
          {"fit", "qwen2.5:7b", "--machine", "m4-24gb", "--memory", "30GiB"},
          {"fit", "qwen2.5:7b", "--machine", "m4-24gb", "--kv", "q4_nonsense"},
          {"fit", "qwen2.5:7b", "--prefer", "magic"}}) {
        CAPTURE(arguments);
        const Finished ran = run_ech0(arguments, in(folder));
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    }
}

TEST_CASE("bench puts predicted beside measured, and doctor keeps the score") {
    const TemporaryFolder folder;
    write_tiny_model({.n_layer = 4, .type = GGML_TYPE_F16}, folder / "m.gguf");
    const Finished ran = run_ech0({"bench", "m.gguf", "--ctx", "256", "--prompt", "64", "--generate", "16", "--repeat",
                                   "1", "--threads", "1", "--json"},
                                  in(folder));
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    const json found = json::parse(ran.out);
    CHECK(found["schema"] == "ech0.bench/1");
    CHECK(found["models"][0]["tokens_per_s"]["measured"] > 0);
    CHECK(found["models"][0]["tokens_per_s"]["predicted"] > 0);
    CHECK(found["models"][0]["memory_bytes"]["measured"] > 1000000);
    CHECK(run_ech0({"doctor"}, in(folder)).out.find("tokens_per_s ") != std::string::npos);
}

TEST_CASE("a blueprint can be looked at, and nothing else can be done with it") {
    const TemporaryFolder folder;
    const Finished seen = run_ech0({"inspect", "qwen2.5:32b", "--json"}, in(folder));
    REQUIRE(seen.status == 0);
    CHECK(json::parse(seen.out)["n_layer"] == 64);
    for (const char* command : {"chat", "compress"}) {
        std::vector<std::string> arguments = {command, "qwen2.5:32b"};
        if (arguments[0] == "chat") arguments.insert(arguments.end(), {"-p", "hello"});
        if (arguments[0] == "compress") arguments.insert(arguments.end(), {"--size", "10GB", "-o", "x.gguf"});
        const Finished ran = run_ech0(arguments, in(folder));
        CHECK(ran.status == 2);
        CHECK(ran.err.find("blueprint") != std::string::npos);
        CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    }
}
