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

#if !defined(__APPLE__)
TEST_CASE("--open hands the page to the system's own opener, looked for where programs are installed only") {
    const TemporaryFolder folder;
    const std::filesystem::path bin = folder / "bin", opener = bin / "xdg-open";
    std::filesystem::create_directory(bin);
    write_file(opener, "#!/bin/sh\nprintf %s \"$1\" > \"$0.saw\"\n");
    std::filesystem::permissions(opener, std::filesystem::perms::owner_all);
    RunOptions options;
    options.folder = folder.path();
    options.environment["ECH0_CACHE"] = (folder / "cache").string();
    options.environment["PATH"] = bin.string() + ":/usr/bin:/bin";
    const std::vector<std::string> asks = {"dashboard", "qwen2.5:0.5b", "--machine", "m4-24gb",
                                           "-o",        "d.html",       "--open"};
    Finished made = run_ech0(asks, options);
    CAPTURE(made.err);
    CHECK(made.status == 0);
    CHECK(read_file(bin / "xdg-open.saw") == (folder / "d.html").string());

    write_file(opener, "#!/bin/sh\nexit 3\n");
    made = run_ech0(asks, options);
    CHECK(made.status == 2);
    CHECK(made.err.find("xdg-open found no browser: open " + (folder / "d.html").string()) != std::string::npos);

    options.folder = bin;  // the opener lies in the current folder now, and PATH says to look there: not installed
    options.environment["PATH"] = ".";
    made = run_ech0(asks, options);
    CHECK(made.status == 2);
    CHECK(made.err.find("xdg-open is not installed") != std::string::npos);
}
#endif

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
