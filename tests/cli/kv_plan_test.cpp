#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "fit/run_plan.h"
#include "machine/probe.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

/// A folder with a model whose heads blocks of 32 divide, trained on 256 tokens.
struct Place {
    TemporaryFolder folder;
    RunOptions options;

    Place() {
        TinyModel tiny;
        tiny.n_embd_head = 32;
        write_tiny_model(tiny, folder / "m.gguf");
        options.folder = folder.path();
        options.environment = {{"HOME", folder.path().string()},
                               {"ECH0_CACHE", (folder / "cache").string()},
                               {"ECH0_STATE", (folder / "state").string()},
                               {"ECH0_CONFIG", (folder / "config").string()},
                               {"ECH0_LLAMA_SERVER", "/bin/true"},
                               {"OMP_NUM_THREADS", "1"}};
    }

    Finished plan(std::vector<std::string> further) const {
        std::vector<std::string> arguments = {"kv", "plan", "m.gguf", "--threads", "1", "--texts", "1"};
        arguments.insert(arguments.end(), further.begin(), further.end());
        return run_ech0(arguments, options);
    }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("kv is a group: its commands are named where one is missing or misspelt") {
    CHECK(run_ech0({"kv"}).err ==
          "ech0: no command; there are plan, pack, unpack, info, profile, keep; see 'ech0 kv -h'\n");
    CHECK(run_ech0({"kv", "plam"}).err == "ech0: no command 'kv plam'; did you mean 'kv plan'?\n");
    CHECK(run_ech0({"kv", "--all"}).err == "ech0: no option '--all'; see 'ech0 kv -h'\n");
    CHECK(run_ech0({"kv", "plan", "a", "b"}).err == "ech0: 'b' is one argument too many; see 'ech0 kv plan -h'\n");
    CHECK(run_ech0({"kv", "plan"}).status == 2);
    const Finished help = run_ech0({"kv", "--help"});
    CHECK(help.status == 0);
    CHECK(has(help.out, "Examples:\n  ech0 kv plan model.gguf"));
    CHECK(has(help.out, "Usage: ech0 kv "));
    CHECK(has(run_ech0({"kv", "plan", "-h"}).out, "Usage: ech0 kv plan "));
}

TEST_CASE("kv plan names what it can't do") {
    const Place place;
    const auto refused = [&](std::vector<std::string> further) {
        const Finished ran = place.plan(std::move(further));
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        return ran.err;
    };
    CHECK(has(refused({"--ctx", "64"}), "--ctx"));
    CHECK(has(refused({"--ctx", "many"}), "--ctx"));
    CHECK(has(refused({"--ctx", "512"}), "trained on 256"));
    CHECK(has(refused({"--ctx", "256", "--k", "q4_k"}), "a cache of type 'q4_k': there are f16, q8_0, q5_1"));
    CHECK(has(refused({"--ctx", "256", "--depths", "300"}), "a depth of 300 tokens in a context of 256"));
    CHECK(has(refused({"--ctx", "256", "--text", "none.txt"}), "none.txt"));
    CHECK(has(refused({"--ctx", "256", "--max-kl", "0"}), "--max-kl"));
    write_file(place.folder / "short.txt", "a short text");
    CHECK(
        has(refused({"--ctx", "256", "--text", "short.txt"}), "wanted at least one chunk of 256; use a longer --text"));
    CHECK(has(run_ech0({"kv", "plan", "qwen2.5:0.5b"}, place.options).err, "without its weights"));
    CHECK(has(refused({"--ctx", "256", "--k", "f16", "--v", "f16"}), "nothing to choose from beside f16"));
}

TEST_CASE("kv plan answers no by its exit status when nothing is close enough") {
    const Place place;
    const Finished ran = place.plan({"--ctx", "256", "--k", "f16", "--v", "q4_0", "--quick", "--max-kl", "1e-12"});
    CHECK(ran.status == 1);
    CHECK(has(ran.out, "No: no pair smaller than f16 stays within"));
}

TEST_CASE("what kv plan predicts that a context takes is what it measures, within 3 %") {
    const Place place;
    TinyModel tiny;
    tiny.n_embd_head = 32;
    tiny.n_layer = 4;
    tiny.n_ctx_train = 4096;
    write_tiny_model(tiny, place.folder / "m.gguf");
    const Finished ran =
        place.plan({"--ctx", "4096", "--depths", "128", "--judge", "16", "--k", "q8_0", "--v", "q4_0", "--json"});
    REQUIRE(ran.err.find("ech0:") == std::string::npos);
    int n_measured = 0;
    const json plan = json::parse(ran.out);
    for (const json& pair : plan["pairs"]) {
        if (pair["measured_bytes"].is_null()) continue;
        CAPTURE(pair.dump());
        CHECK(pair["measured_bytes"].get<double>() ==
              doctest::Approx(pair["predicted_bytes"].get<double>()).epsilon(0.03));
        CHECK(pair["measured_kv_bytes"].get<double>() == doctest::Approx(pair["kv_bytes"].get<double>()).epsilon(0.03));
        n_measured++;
    }
    CHECK(n_measured >= 2);
}

TEST_CASE("chat and serve take what kv plan measured where f16 does not fit, and say so; a page knows pairs") {
    const Place place;
    REQUIRE(place.plan({"--ctx", "256", "--k", "f16", "--v", "q8_0", "--quick", "--max-kl", "9"}).status == 0);
    const Model model = read_model((place.folder / "m.gguf").string());
    const RunPlan plain = plan_run(model, probe_memory(), {.n_ctx = 256, .kv_type = "f16", .n_threads = 1});
    const std::string memory = std::to_string(plain.memory.total_bytes() - 1) + "B";
    const std::string why =
        "ech0: a f16/q8_0 cache: f16 does not fit, and this is the closest that does by 'ech0 kv plan'";
    const Finished served = run_ech0(
        {"serve", "m.gguf", "--ctx", "256", "--threads", "1", "--port", "0", "--memory", memory, "--print-command"},
        place.options);
    CHECK(served.status == 0);
    CHECK(has(served.out, " --cache-type-k f16 --cache-type-v q8_0 "));
    CHECK(has(served.err, why));
    const Finished chatted =
        run_ech0({"chat", "m.gguf", "--ctx", "256", "--threads", "1", "--memory", memory, "-p", "Hello", "-n", "2"},
                 place.options);
    CHECK(chatted.status == 0);
    CHECK(has(chatted.err, why));
    const Finished page = run_ech0(
        {"dashboard", "m.gguf", "--ctx", "256", "--kv", "f16,q8_0/q4_0", "--threads", "1", "-o", "d.html", "--json"},
        place.options);
    REQUIRE(page.status == 0);
    CHECK(json::parse(page.out)["basis"]["type_bits"]["q8_0/q4_0"] == 6.5);
}
