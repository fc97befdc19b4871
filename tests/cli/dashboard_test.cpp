#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

Finished dashboard(const TemporaryFolder& folder, std::vector<std::string> arguments) {
    RunOptions options;
    options.folder = folder.path();
    options.environment["ECH0_CACHE"] = (folder / "cache").string();
    arguments.insert(arguments.begin(), "dashboard");
    return run_ech0(arguments, options);
}

}  // namespace

TEST_CASE("dashboard writes one page whose decision is that of fit") {
    const TemporaryFolder folder;
    const Finished made = dashboard(folder, {"qwen2.5:0.5b", "--machine", "m4-24gb", "-o", "d.html", "--json"});
    CAPTURE(made.err);
    REQUIRE(made.status == 0);
    const json data = json::parse(made.out);
    CHECK(data["schema"] == "ech0.dashboard/1");
    CHECK(data["fit"]["machine"]["name"] == "m4-24gb");
    CHECK(data["here"]["is_this"] == true);
    CHECK(data["specimens"].empty());                             // a blueprint has no weights
    CHECK(data["basis"]["models"][0]["caches"].size() == 3 * 7);  // three types; 512 to 32768 tokens
    RunOptions options;
    options.folder = folder.path();
    options.environment["ECH0_CACHE"] = (folder / "cache").string();
    const json fit = json::parse(run_ech0({"fit", "qwen2.5:0.5b", "--machine", "m4-24gb", "--json"}, options).out);
    CHECK(data["fit"]["options"] == fit["options"]);
    CHECK(data["fit"]["recommendation"] == fit["recommendation"]);
    CHECK(read_file(folder / "d.html").find("ech0.dashboard/1") != std::string::npos);
}

TEST_CASE("a dashboard of a file has a block of its weights, and the runs that it is given") {
    const TemporaryFolder folder;
    write_tiny_model(
        {.n_embd = 256, .n_head = 4, .n_head_kv = 4, .n_embd_head = 64, .n_ff = 512, .type = GGML_TYPE_F16},
        folder / "<b>hostile & co.gguf");
    const Finished inspected = run_ech0({"inspect", (folder / "<b>hostile & co.gguf").string(), "--json"});
    write_file(folder / "run.json", inspected.out);
    const Finished made = dashboard(folder, {"<b>hostile & co.gguf", "--ctx", "128", "--with", "run.json", "--json"});
    CAPTURE(made.err);
    REQUIRE(made.status == 0);
    const json data = json::parse(made.out);
    REQUIRE(data["specimens"].size() == 1);
    CHECK(data["specimens"][0]["weights"].size() == 256);
    CHECK(data["runs"][0]["schema"] == "ech0.inspect/1");
    const std::string page = read_file(folder / "dashboard.html");
    CHECK(page.find("<b>hostile") == std::string::npos);
    CHECK(page.find("\\u003cb\\u003ehostile") != std::string::npos);
}

TEST_CASE("a dashboard where nothing fits says so, and exits with 1; a run that is none is refused") {
    const TemporaryFolder folder;
    const Finished none = dashboard(folder, {"qwen2.5:32b", "--machine", "m4-24gb", "--memory", "2GiB"});
    CHECK(none.status == 1);
    CHECK(none.out.starts_with("No: even qwen2.5:32b"));
    write_file(folder / "bad.json", "{}");
    const Finished refused = dashboard(folder, {"qwen2.5:0.5b", "--machine", "m4-24gb", "--with", "bad.json"});
    CHECK(refused.status == 2);
    CHECK(refused.err.find("bad.json: no report") != std::string::npos);
    const Finished longer = dashboard(folder, {"qwen2.5:0.5b", "--machine", "m4-24gb", "--ctx", "100000"});
    CHECK(longer.status == 2);
    CHECK(longer.err.find("give --ctx 32768 or less") != std::string::npos);
}
