#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

// A folder with a model that compress can make something of, and a cache of its own.
struct Workshop {
    TemporaryFolder folder;
    RunOptions options;

    Workshop() {
        TinyModel tiny;
        tiny.n_ctx_train = 2048;
        tiny.type = GGML_TYPE_F16;
        write_tiny_model(tiny, folder / "m.gguf");
        options.folder = folder.path();
        options.environment["ECH0_CACHE"] = (folder / "cache").string();
    }

    Finished optimize(std::vector<std::string> more) const {
        more.insert(more.begin(), {"optimize", "m.gguf"});
        more.insert(more.end(), {"--effort", "1", "--ctx", "256", "--threads", "1", "--chunks", "8", "--calibration",
                                 ECH0_SOURCE_FOLDER "/share/texts/calibration/chat.txt"});
        return run_ech0(more, options);
    }
    int64_t size(const char* name) const { return static_cast<int64_t>(std::filesystem::file_size(folder / name)); }
};

}  // namespace

TEST_CASE("optimize makes a file of the size asked for, and tells what it is worth as text and as a page") {
    const Workshop shop;
    const Finished ran = shop.optimize({"--ratio", "50%", "-o", "a file.gguf", "--report", "page.md"});
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    CHECK(shop.size("a file.gguf") <= shop.size("m.gguf") / 2);
    CHECK(shop.size("a file.gguf") > shop.size("m.gguf") * 45 / 100);
    for (const char* part :
         {"bits per weight", "perplexity", "KL divergence, nats per token", "same likeliest token",
          "same text, of 64 tokens", "facts found in", "tokens/s", "peak memory", "Next: ech0 chat 'a file.gguf'\n"}) {
        CAPTURE(part);
        CHECK(ran.out.find(part) != std::string::npos);
    }
    const std::string page = read_file(shop.folder / "page.md");
    CHECK(page.starts_with("# tiny llama in "));
    for (const char* part :
         {"## Before and after\n\n|  | original | compressed | change |\n| --- | ---: | ---: | ---: |\n| size |",
          "## What the weights became", "## What may be compared", "## Files", "| m.gguf |",
          "ech0 optimize m.gguf --ratio 0.5 -o 'a file.gguf' --effort 1 --ctx 256 --calibration "}) {
        CAPTURE(part);
        CHECK(page.find(part) != std::string::npos);
    }
}

TEST_CASE("the parts of ech0.optimize/1 agree with each other and with the file, and --quick leaves out what is slow") {
    const Workshop shop;
    const std::string size = std::to_string(shop.size("m.gguf") / 3);
    const Finished ran = shop.optimize({"--size", size, "-o", "b.gguf", "--quick", "--json"});
    REQUIRE(ran.status == 0);
    const json found = json::parse(ran.out);
    CHECK(found["inspect"]["size_bytes"] == shop.size("m.gguf"));
    CHECK(found["compress"]["budget_bytes"] == std::stoll(size));
    CHECK(found["compress"]["output"]["size_bytes"] == shop.size("b.gguf"));
    CHECK(found["compress"]["output"]["sha256"] == found["verify"]["candidates"][0]["sha256"]);
    CHECK(found["compress"]["source"]["sha256"] == found["verify"]["original"]["sha256"]);
    CHECK(found["compress"]["output"]["bits_per_weight"].get<double>() ==
          doctest::Approx(found["verify"]["candidates"][0]["bits_per_weight"].get<double>()));
    CHECK(found["verify"]["original"]["tokens_per_s"].is_null());
    CHECK(found["verify"]["calibration_text"]["overlap"] == 0);
    CHECK(found["verify"]["candidates"][0]["kl_divergence"]["mean"] > 0);
}

TEST_CASE("optimize --max-kl answers no by its exit status, and the file is there all the same") {
    const Workshop shop;
    const Finished ran = shop.optimize({"--bpw", "3.5", "-o", "c.gguf", "--quick", "--max-kl", "0.000001"});
    CHECK(ran.status == 1);
    CHECK(std::filesystem::exists(shop.folder / "c.gguf"));
    CHECK(ran.out.find("KL divergence") != std::string::npos);
}

TEST_CASE("what optimize can't do is one line and exit 2, and nothing is written") {
    const Workshop shop;
    const auto refused = [&](const std::vector<std::string>& more, const std::string& message) {
        const Finished ran = shop.optimize(more);
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        CHECK(ran.err.find(message) != std::string::npos);
        CHECK(count_lines(ran.err) == 1);
        CHECK_FALSE(std::filesystem::exists(shop.folder / "d.gguf"));
    };
    refused({"-o", "d.gguf"}, "give one of --size, --bpw and --ratio: how large may the file be?");
    refused({"-o", "d.gguf", "--size", "1MB", "--bpw", "4"}, "give one of --size, --bpw and --ratio");
    refused({"-o", "d.gguf", "--ratio", "60"}, "--ratio: '60' is no share between 0 and 1: write 0.6 or 60%");
    refused({"-o", "d.gguf", "--size", "1kB"}, "");
    refused({"-o", "d.gguf", "--ratio", "50%", "--text", "no-such.txt"}, "no-such.txt");
    refused({"-o", "d.gguf", "--ratio", "50%", "--report", "no/such/folder/page.md"}, "no/such/folder");
}
