#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "support/run.h"
#include "support/store_tree.h"

using namespace ech0;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("models lists what MODEL may be, with what each file is and what is broken") {
    const EmptyHome home;
    put_ollama_model(home / ".ollama/models", "registry.ollama.ai/library/tiny/1b", {.architecture = "qwen2"});
    put_text(home / ".ollama/models/manifests/registry.ollama.ai/library/bad/1b", "{");
    put_text(home / ".lmstudio/models/pub/m/m.gguf", "<html>");
    const Finished ran = run_ech0({"models", "list"});
    CHECK(ran.status == 0);
    CHECK(ran.err == "");
    CHECK(has(ran.out, "ollama:tiny:1b"));
    CHECK(has(ran.out, "qwen2"));
    CHECK(has(ran.out, "\nCan't be used:\n"));
    CHECK(has(ran.out, "this is a web page"));
    const json found = json::parse(run_ech0({"models", "--json"}).out);
    REQUIRE(found["models"].size() == 3);
    int usable = 0;
    for (const json& model : found["models"]) {
        if (!model["problem"].is_null()) continue;
        usable++;
        CHECK(run_ech0({"inspect", model["name"].get<std::string>()}).status == 0);
        CHECK(model["size_bytes"] == fs::file_size(model["files"][0].get<std::string>()));
    }
    CHECK(usable == 1);
}

TEST_CASE("models without any model says how to get one") {
    const EmptyHome home;
    const Finished ran = run_ech0({"models"});
    CHECK(ran.status == 0);
    CHECK(ran.out.starts_with("No model in any store. "));
}

TEST_CASE("models rm removes what ech0 fetched, and nothing else") {
    const EmptyHome home;
    const fs::path own = home / "ech0-cache/models/hf/Org/Tiny/m-Q8_0.gguf";
    put_model(own);
    const fs::path blob = put_ollama_model(home / ".ollama/models", "registry.ollama.ai/library/tiny/1b");
    const Finished dry = run_ech0({"models", "rm", "hf:Org/Tiny", "--dry-run"});
    CHECK(dry.status == 0);
    CHECK(dry.out.starts_with("would remove hf:Org/Tiny:m-Q8_0.gguf, "));
    CHECK(fs::exists(own));
    CHECK(run_ech0({"models", "rm", "hf:Org/Tiny"}).status == 0);
    CHECK_FALSE(fs::exists(home / "ech0-cache/models/hf/Org"));
    CHECK(fs::exists(home / "ech0-cache/models/hf"));
    const Finished other = run_ech0({"models", "rm", "ollama:tiny:1b"});
    CHECK(other.status == 2);
    CHECK(other.err == "ech0: ech0 did not fetch ollama:tiny:1b; Ollama owns it: 'ollama rm tiny:1b'\n");
    CHECK(fs::exists(blob));
}

TEST_CASE("models refuses what it does not know") {
    CHECK(run_ech0({"models", "lst"}).err == "ech0: no action 'lst'; did you mean 'list'?\n");
    CHECK(run_ech0({"models", "rm"}).err == "ech0: rm of which model? see 'ech0 models' for their names\n");
    CHECK(run_ech0({"models", "pull", "demo"}).err ==
          "ech0: the demo model is not on the hub: 'make demo' in the source folder fetches it\n");
    CHECK(run_ech0({"models", "list", "x"}).err == "ech0: 'x' is one argument too many; see 'ech0 models -h'\n");
}
