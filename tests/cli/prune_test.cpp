#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "ech0/model.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

struct Workshop {
    TemporaryFolder folder;
    RunOptions options;

    explicit Workshop(const char* architecture = "qwen2") {
        TinyModel tiny;
        tiny.architecture = architecture;
        tiny.n_ff = 128;
        if (tiny.architecture == "qwen3moe") tiny.n_expert = 4, tiny.n_expert_used = 2;
        tiny.type = GGML_TYPE_F16;
        write_tiny_model(tiny, folder / "m.gguf");
        options.folder = folder.path();
        options.environment["ECH0_CACHE"] = (folder / "cache").string();
    }

    Finished prune(std::vector<std::string> more) const {
        more.insert(more.begin(), {"prune", "m.gguf", "-o", "out.gguf"});
        more.insert(more.end(), {"--ctx", "64", "--threads", "1", "--calibration",
                                 ECH0_SOURCE_FOLDER "/share/texts/calibration/chat.txt"});
        return run_ech0(more, options);
    }
};

}  // namespace

TEST_CASE("prune removes about the share it was asked for, says what it cost, and the file answers") {
    const Workshop w;
    const Finished run = w.prune({"--remove", "20%", "--json"});
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json json = nlohmann::json::parse(run.out);
    const Model before = read_model((w.folder / "m.gguf").string()),
                after = read_model((w.folder / "out.gguf").string());
    CHECK(after.architecture == "deci");
    CHECK(json["removed"]["parameters"].get<int64_t>() == before.n_params - after.n_params);
    int64_t inside = 0;
    for (const Tensor& t : before.tensors) inside += t.name.starts_with("blk.") ? t.n_elements : 0;
    const double share = static_cast<double>(before.n_params - after.n_params) / static_cast<double>(inside);
    CHECK(share >= 0.2);
    CHECK(share < 0.4);  // this model's units are a tenth of it
    CHECK(json["kl_divergence"]["repaired"].get<double>() > 0);
    const nlohmann::json &trial = json["trials"][0], &checks = trial["checks"];
    REQUIRE(checks.size() >= 1);  // parts of the cut, tried on the way: the prediction is theirs
    CHECK(checks[0]["kl_expected"] == checks[0]["kl_added_up"]);
    for (const auto& check : checks) {
        CHECK(check["kl_divergence"].get<double>() > 0);
        CHECK(check["kl_added_up"].get<double>() < trial["kl_added_up"].get<double>());
    }
    CHECK(trial["kl_predicted"] != trial["kl_added_up"]);
    CHECK(json["kl_divergence"]["added_up"].get<double>() > 0);
    for (const auto& part :
         json["costs"]["parts"]) {  // what each part of a layer would cost, and where that was measured
        const int64_t n_measured = part["n_measured"], n_steps = static_cast<int64_t>(part["steps"].size());
        CHECK((n_measured >= 1 && n_measured <= n_steps));
        for (int64_t i = 1; i < n_steps; i++) {
            const auto &before_it = part["steps"][static_cast<size_t>(i - 1)],
                       &step = part["steps"][static_cast<size_t>(i)];
            CHECK(step["gone"].get<int64_t>() > before_it["gone"].get<int64_t>());
            CHECK(step["kl_divergence"].get<double>() >= before_it["kl_divergence"].get<double>() * 0.999);
        }
    }
    CHECK(json["costs"]["layers"].size() == static_cast<size_t>(before.n_layer - 1));  // the first one stays
    CHECK(run_ech0({"chat", "out.gguf", "-p", "Hello", "-n", "3"}, w.options).status == 0);
    CHECK_FALSE(std::filesystem::exists(w.folder / "out.gguf.ech0-work"));
}

TEST_CASE("the baselines choose by weights or by fluctuation alone, and predict nothing") {
    const Workshop w;
    REQUIRE(w.prune({"--remove", "20%", "--score", "flap", "--repair", "bias"}).status == 0);
    const Finished run = w.prune({"--remove", "20%", "--score", "magnitude", "--repair", "off", "--json"});
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json json = nlohmann::json::parse(run.out);
    CHECK(json["kl_divergence"]["predicted"] == 0);
    CHECK_FALSE(json.contains("costs"));  // a baseline's scores are no KL divergences
    CHECK(json["kl_divergence"]["repaired"].is_null());
    CHECK(json["kl_divergence"]["unrepaired"].get<double>() > 0);
    CHECK(w.prune({"--remove", "20%", "--score", "wanda"}).status == 2);
}

TEST_CASE("prune takes what was asked of each kind, and leaves the layers it is told to leave") {
    const Workshop w;
    const Finished run = w.prune({"--heads", "1", "--ffn", "40%", "--keep-layers", "0", "--repair", "off", "--json"});
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json json = nlohmann::json::parse(run.out);
    CHECK(json["removed"]["kv_heads"] == 1);
    CHECK(json["removed"]["ffn_channels"].get<int64_t>() >= 128 * 2 / 5);
    CHECK(json["layers"][0]["kv_heads"] == json["layers"][0]["kv_heads_before"]);
    CHECK(json["layers"][0]["ffn_channels"] == json["layers"][0]["ffn_channels_before"]);
    const Finished layer = w.prune({"--layers", "1", "--json"});
    REQUIRE_MESSAGE(layer.status == 0, layer.err);
    CHECK(nlohmann::json::parse(layer.out)["removed"]["layers"] == 1);
    CHECK(read_model((w.folder / "out.gguf").string()).architecture == "llama");  // what stays is all alike
}

TEST_CASE("a model that was pruned can be pruned again, and it is said what the divergence is to") {
    const Workshop w;
    const Finished first = w.prune({"--heads", "1", "--repair", "bias", "--json"});
    REQUIRE_MESSAGE(first.status == 0, first.err);
    CHECK(nlohmann::json::parse(first.out)["source"]["pruned_before"].is_null());
    std::filesystem::rename(w.folder / "out.gguf", w.folder / "m.gguf");
    const Finished again = w.prune({"--remove", "20%"});
    CHECK_MESSAGE(again.status == 0, again.err);
    CHECK(again.out.find("m.gguf was pruned before (prune ") != std::string::npos);
    CHECK(run_ech0({"chat", "out.gguf", "-p", "Hello", "-n", "3"}, w.options).status == 0);
}

TEST_CASE("a mixture loses whole experts, every layer equally many, and answers") {
    const Workshop w("qwen3moe");
    const Finished run = w.prune({"--experts", "1", "--json"});
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json json = nlohmann::json::parse(run.out);
    CHECK(json["removed"]["experts"] == 2);
    CHECK(json["layers"][1]["experts_before"] == 4);
    CHECK(json["layers"][1]["experts_gone"].size() == 1);
    CHECK(json["kl_divergence"]["unrepaired"].get<double>() > 0);
    CHECK(read_model((w.folder / "out.gguf").string()).n_expert == 3);
    CHECK(run_ech0({"chat", "out.gguf", "-p", "Hello", "-n", "3"}, w.options).status == 0);
    CHECK(w.prune({"--remove", "30%"}).status == 0);
    CHECK(w.prune({"--experts", "50%"}).status == 0);
    for (const auto& wrong : std::vector<std::vector<std::string>>{{"--experts", "3"},
                                                                   {"--experts", "1%"},
                                                                   {"--remove", "1%"},
                                                                   {"--heads", "1"},
                                                                   {"--experts", "1", "--remove", "10%"},
                                                                   {"--size", "1GB"},
                                                                   {"--experts", "1", "--keep-layers", "0"}}) {
        const Finished refused = w.prune(wrong);
        CHECK(refused.status == 2);
        CHECK(refused.err.find("ech0: ") != std::string::npos);
    }
    CHECK(Workshop("llama").prune({"--experts", "1"}).err.find("no experts") != std::string::npos);
}

TEST_CASE("what usual plans call a score stands beside what decided, and how far magnitude would agree") {
    const Workshop w;
    const Finished run = w.prune({"--heads", "1", "--ffn", "32", "--score", "magnitude", "--json"});
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json methods = nlohmann::json::parse(run.out)["methods"];
    REQUIRE(methods.size() == 2);
    CHECK(methods[0]["name"] == "Head Importance Score");
    CHECK(methods[1]["name"] == "FFN magnitude");
    for (const auto& m : methods) CHECK(m["same_by_magnitude"] == 1);
    CHECK(w.prune({"--heads", "1"}).out.find("Head Importance Score") != std::string::npos);
}

TEST_CASE("prune to a size keeps it, and two runs give the same file") {
    const Workshop w("llama");
    const auto size = static_cast<int64_t>(std::filesystem::file_size(w.folder / "m.gguf"));
    const std::string wanted = std::to_string(size * 9 / 10);
    REQUIRE(w.prune({"--size", wanted}).status == 0);
    CHECK(static_cast<int64_t>(std::filesystem::file_size(w.folder / "out.gguf")) <= size * 9 / 10);
    const std::string first = read_file(w.folder / "out.gguf");
    REQUIRE(w.prune({"--size", wanted}).status == 0);
    CHECK(read_file(w.folder / "out.gguf") == first);
}

TEST_CASE("--max-kl is kept as measured, and its file is the largest cut that was found to keep it") {
    const Workshop w;
    const Finished some = w.prune({"--remove", "30%", "--json"});
    REQUIRE_MESSAGE(some.status == 0, some.err);
    const double most = 2 * nlohmann::json::parse(some.out)["kl_divergence"]["repaired"].get<double>();
    const Finished run = w.prune({"--max-kl", std::to_string(most), "--json"});
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json json = nlohmann::json::parse(run.out);
    CHECK(json["kl_divergence"]["repaired"].get<double>() <= most);
    for (const nlohmann::json& trial : json["trials"])
        if (trial["chosen"]) CHECK(trial["kl_divergence"] == json["kl_divergence"]["repaired"]);
    const Finished little = w.prune({"--max-kl", "1e-9"});
    CHECK(little.status == 2);
    CHECK(little.err.find("1e-09") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(w.folder / "out.gguf.ech0-work" / "cut"));
}

TEST_CASE("pruned beside rounded: the verdict says which is nearer at as few bytes, and what to do instead") {
    const Workshop w;
    const Finished run = w.prune({"--remove", "30%", "--repair", "off", "--json"});
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json json = nlohmann::json::parse(run.out), verdict = json["verdict"];
    CHECK(verdict["size_bytes"] <= json["output"]["size_bytes"]);
    CHECK(verdict["prune"] == (json["kl_divergence"]["unrepaired"] < verdict["kl_divergence"]));
    CHECK(verdict["prune"] == false);  // a third of a random model is worth more than the last bits of all of it
    CHECK(verdict["compress_instead"].get<std::string>().starts_with("ech0 compress m.gguf --size "));
    const Finished text = w.prune({"--remove", "30%", "--repair", "off"});
    CHECK(text.out.find("Do not prune for size alone: ") != std::string::npos);
}

TEST_CASE("what cannot be pruned is named, with what would do") {
    const Workshop w, gemma("gemma3");
    const auto says = [](const Finished& run, const char* words) {
        CAPTURE(run.err);
        CHECK(run.status == 2);
        CHECK(run.err.find(words) != std::string::npos);
    };
    says(w.prune({"--remove", "10%", "--keep-layers", "0,1"}), "only 0 can");
    says(w.prune({"--heads", "1%"}), "weights in KV heads are less than the smallest step");
    says(w.prune({"--layers", "9"}), "9 layers were to go, but only 1 can");
    says(w.prune({"--ffn", "1"}), "1 feed-forward channels are less than the smallest step, 32 of them");
    says(gemma.prune({"--remove", "20%"}),
         "gemma3 cannot be pruned: layers of different widths can be written only as architecture deci, which has no "
         "norms behind attention and feed-forward");
    says(w.prune({"--remove", "10%", "--calibration", "none.txt"}), "none.txt");
    std::ofstream(w.folder / "short.txt") << "Too short.";
    says(run_ech0({"prune", "m.gguf", "-o", "out.gguf", "--remove", "10%", "--calibration", "short.txt"}, w.options),
         "the calibration text has");
}

TEST_CASE("what cannot be pruned is one line") {
    const Workshop w, gemma("gemma3");
    for (const Finished& run :
         {w.prune({}), w.prune({"--remove", "20%", "--size", "1MB"}), w.prune({"--remove", "100%"}),
          w.prune({"--remove", "99%"}), w.prune({"--remove", "20"}), w.prune({"--remove", "10"}),
          w.prune({"--heads", "1", "--remove", "10%"}), w.prune({"--remove", "10%", "--keep-layers", "7"}),
          w.prune({"--remove", "10%", "--keep-layers", "x"}), w.prune({"--ffn", "1"}), w.prune({"--layers", "9"}),
          w.prune({"--remove", "10%", "--calibration", "none.txt"}), w.prune({"--size", "100MB"}),
          gemma.prune({"--remove", "20%"})}) {
        CHECK(run.status == 2);
        CHECK(run.err.find("ech0: ") != std::string::npos);
        CHECK(run.out.empty());
        CHECK_FALSE(std::filesystem::exists(w.folder / "out.gguf"));
    }
    CHECK(gemma.prune({"--remove", "20%"}).err.find("gemma3") != std::string::npos);
}

TEST_CASE("compress --allow-prune makes several ways to the same bytes, and writes the closest") {
    const Workshop w;
    const std::string size = std::to_string(std::filesystem::file_size(w.folder / "m.gguf") * 32 / 100);
    const Finished run = run_ech0({"compress", "m.gguf", "--size", size, "-o", "out.gguf", "--allow-prune", "--sibling",
                                   "m.gguf", "--effort", "1", "--ctx", "64", "--threads", "1", "--calibration",
                                   ECH0_SOURCE_FOLDER "/share/texts/calibration/chat.txt", "--json"},
                                  w.options);
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json json = nlohmann::json::parse(run.out);
    double least = 1e9, chosen = -1;
    for (const nlohmann::json& way : json["ways"]) {
        CHECK(way["size_bytes"].get<int64_t>() <= std::stoll(size));
        const double kl = way["selection_kl_divergence"].get<double>();
        least = std::min(least, kl);
        if (way["chosen"]) chosen = kl;
    }
    CHECK_MESSAGE(json["ways"].size() > 1, json["verdict"]);
    CHECK(chosen == least);
    CHECK(json["evidence"]["candidates"].size() == json["ways"].size());
    CHECK(static_cast<int64_t>(std::filesystem::file_size(w.folder / "out.gguf")) <= std::stoll(size));
    CHECK_FALSE(std::filesystem::exists(w.folder / "out.gguf.ech0-ways"));
    CHECK(run_ech0({"compress", "m.gguf", "--type", "Q4_0", "-o", "o.gguf", "--allow-prune"}, w.options).status == 2);
}

TEST_CASE("surgeon: facts, five answers in the grammar, every number of them judged, the measured verdict beside") {
    const Workshop w;
    std::ofstream(w.folder / "run.json") << R"({"schema": "ech0.compress/1", "verdict": "Do not prune."})";
    std::vector<std::string> command = {
        "surgeon",  "m.gguf",   "--ctx",         "64",
        "--tokens", "1024",     "--threads",     "1",
        "--with",   "run.json", "--calibration", ECH0_SOURCE_FOLDER "/share/texts/calibration/chat.txt"};
    command.push_back("--json");
    const Finished run = run_ech0(command, w.options);
    REQUIRE_MESSAGE(run.status == 0, run.err);
    const nlohmann::json json = nlohmann::json::parse(run.out);
    CHECK(json["schema"] == "ech0.surgeon/1");
    CHECK(json["verdict"] == "Do not prune.");
    CHECK(json["facts"].dump().find("kl_remove_20_percent") != std::string::npos);
    REQUIRE(json["opinions"].size() == 5);
    size_t judged = 0;
    for (const nlohmann::json& opinion : json["opinions"]) judged += opinion["claims"].size();
    CHECK(json["claims"]["confirmed"].get<size_t>() + json["claims"]["wrong"].get<size_t>() +
              json["claims"]["unsupported"].get<size_t>() ==
          judged);
    command.back() = "--facts";
    const Finished page = run_ech0(command, w.options);
    CHECK(page.status == 0);
    CHECK(page.out.find("Do not prune.") != std::string::npos);
    command[9] = "m.gguf";
    CHECK(run_ech0(command, w.options).status == 2);
}

}  // namespace ech0
