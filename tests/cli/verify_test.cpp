// ech0 verify, the real program on tiny models.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

struct Files {
    TemporaryFolder folder;
    RunOptions options{.environment = {{"ECH0_CACHE", (folder / "cache").string()}}, .folder = folder.path()};

    Files() {
        write_tiny_model({.n_ctx_train = 1024, .seed = 1}, folder / "o.gguf");
        write_tiny_model({.n_ctx_train = 1024, .seed = 2}, folder / "a.gguf");
        write_tiny_model({.architecture = "gemma3", .n_ctx_train = 1024}, folder / "g.gguf");
    }
    Finished verify(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "verify");
        return run_ech0(arguments, options);
    }
};

}  // namespace

TEST_CASE("verify prints one JSON object, and progress elsewhere") {
    const Files files;
    const Finished ran = files.verify({"o.gguf", "a.gguf", "o.gguf", "--ctx", "128", "--chunks", "3", "--json"});
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    const nlohmann::json json = nlohmann::json::parse(ran.out);
    CHECK(json["schema"] == "ech0.verify/1");
    CHECK(json["text"]["n_chunks"] == 3);
    CHECK(json["candidates"][0]["kl_divergence"]["mean"].get<double>() > 0);
    CHECK(json["candidates"][1]["kl_divergence"]["mean"] == 0);
    CHECK(json["candidates"][1]["top1_agreement"] == 1);
    CHECK(json["candidates"][0]["peak_memory_bytes"].get<int64_t>() >
          json["candidates"][0]["size_bytes"].get<int64_t>());
    CHECK(json["command"].get<std::string>().starts_with(
        "ech0 verify o.gguf a.gguf o.gguf --text embedded --ctx 128 --chunks 3"));
}

TEST_CASE("a candidate further away than --max-kl is an honest no") {
    const Files files;
    const std::vector<std::string> quick = {"o.gguf", "a.gguf", "--ctx", "128", "--chunks", "2", "--quick", "--max-kl"};
    std::vector<std::string> strict = quick, lenient = quick;
    strict.emplace_back("0.00001");
    lenient.emplace_back("1000");
    const Finished no = files.verify(strict);
    CHECK(no.status == 1);
    CHECK(no.out.find("KL divergence") != std::string::npos);  // the report comes all the same
    CHECK(files.verify(lenient).status == 0);
    CHECK(files.verify({"o.gguf", "o.gguf", "--ctx", "128", "--chunks", "2", "--quick", "--max-kl", "1e-9"}).status ==
          0);
}

TEST_CASE("verify refuses in one line what can't be compared") {
    const Files files;
    const auto refused = [&](const std::vector<std::string>& arguments, const std::string& wanted) {
        const Finished ran = files.verify(arguments);
        CAPTURE(ran.err);
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        CHECK(count_lines(ran.err) == 1);
        CHECK(ran.err.find(wanted) != std::string::npos);
    };
    refused({"o.gguf", "g.gguf"}, "o.gguf and g.gguf have different vocabularies");
    refused({"o.gguf", "none.gguf"}, "none.gguf");
    refused({"o.gguf"}, "CANDIDATE is required");
    refused({"o.gguf", "a.gguf", "--ctx", "8"}, "at least 64");
    refused({"o.gguf", "a.gguf", "--text", "none.txt"}, "none.txt");
    write_file(files.folder / "short.txt", "too short");
    refused({"o.gguf", "a.gguf", "--text", "short.txt"}, "short.txt");
}

TEST_CASE("the command that measures alone works and is not in the help") {
    const Files files;
    const Finished ran =
        run_ech0({"measure-alone", "o.gguf", "--prompt", "16", "--generate", "4", "--ctx", "64"}, files.options);
    CHECK(ran.status == 0);
    CHECK(nlohmann::json::parse(ran.out)["tokens_per_s"].get<double>() > 0);
    CHECK(run_ech0({"-h"}).out.find("measure-alone") == std::string::npos);
    CHECK(run_ech0({}).err.find("measure-alone") == std::string::npos);
}
