#include <fstream>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "ech0/model.h"
#include "support/raw_gguf.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

std::set<std::string> keys_of(const json& object) {
    std::set<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.insert(key);
    return keys;
}

json inspect_json_of(const std::filesystem::path& file) {
    const Finished ran = run_ech0({"inspect", "--json", file.string()});
    REQUIRE(ran.status == 0);
    REQUIRE(ran.err == "");
    return json::parse(ran.out);
}

}  // namespace

TEST_CASE("inspect prints the anatomy as text") {
    const TemporaryFolder folder;
    write_tiny_model({.type = GGML_TYPE_F16}, folder / "m.gguf");
    const Finished ran = run_ech0({"inspect", "m.gguf"}, {.folder = folder.path()});
    CHECK(ran.status == 0);
    CHECK(ran.err == "");
    for (const char* part :
         {"tiny llama\n", "llama: 2 layers, 64 wide", "4 heads of 16, 2 KV heads", "96 channels", "mostly f16",
          "embedding serves as output", "256 tokens in training", "256 bytes per token as f16, 64.0 KiB for 256 tokens",
          "mit", "attention q", "ffn down", "norms"}) {
        CAPTURE(part);
        CHECK(ran.out.find(part) != std::string::npos);
    }
    CHECK(ran.out.find("blk.0.attn_q.weight") == std::string::npos);
}

TEST_CASE("inspect --tensors lists every tensor too") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const Finished ran = run_ech0({"inspect", "--tensors", "m.gguf"}, {.folder = folder.path()});
    CHECK(ran.status == 0);
    for (const char* name :
         {"token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.1.ffn_down.weight"}) {
        CHECK(ran.out.find(name) != std::string::npos);
    }
    CHECK(ran.out.find("64 x 96") != std::string::npos);
}

TEST_CASE("inspect --json has the keys of ech0.inspect/1 and no others") {
    const TemporaryFolder folder;
    write_tiny_model({.architecture = "qwen3"}, folder / "m.gguf");
    const json found = inspect_json_of(folder / "m.gguf");
    CHECK(keys_of(found) ==
          std::set<std::string>{
              "schema",        "asked",           "name",       "architecture",       "n_layer",         "n_embd",
              "n_ff",          "n_head",          "n_head_kv",  "n_embd_head_k",      "n_embd_head_v",   "n_expert",
              "n_expert_used", "n_swa",           "n_vocab",    "n_ctx_train",        "n_params",        "size_bytes",
              "tensor_bytes",  "bits_per_weight", "type",       "kv_bytes_per_token", "tied_embeddings", "licence",
              "chat_template", "files",           "components", "provenance",         "metadata",        "tensors"});
    CHECK(found["schema"] == "ech0.inspect/1");
    CHECK(found["architecture"] == "qwen3");
    CHECK(found["n_layer"] == 2);
    CHECK(found["n_head_kv"] == 2);
    CHECK(found["n_vocab"] == tiny_vocabulary_size("qwen3"));
    CHECK(found["size_bytes"] == std::filesystem::file_size(folder / "m.gguf"));
    CHECK(found["kv_bytes_per_token"] == 2 * 2 * (16 + 16) * 2);
    CHECK(found["metadata"]["qwen3.embedding_length"] == 64);
}

TEST_CASE("the tensors and components of the JSON add up to its sums") {
    const TemporaryFolder folder;
    write_tiny_model({.architecture = "gemma3", .tied = false, .type = GGML_TYPE_Q8_0}, folder / "m.gguf");
    const json found = inspect_json_of(folder / "m.gguf");
    int64_t tensor_bytes = 0, component_bytes = 0, component_params = 0, n_tensors = 0;
    for (const json& tensor : found["tensors"]) {
        CHECK(keys_of(tensor) == std::set<std::string>{"name", "type", "shape", "size_bytes"});
        tensor_bytes += tensor["size_bytes"].get<int64_t>();
    }
    for (const json& component : found["components"]) {
        CHECK(keys_of(component) == std::set<std::string>{"component", "type", "n_tensors", "n_params", "size_bytes"});
        component_bytes += component["size_bytes"].get<int64_t>();
        component_params += component["n_params"].get<int64_t>();
        n_tensors += component["n_tensors"].get<int64_t>();
    }
    CHECK(tensor_bytes == found["tensor_bytes"]);
    CHECK(component_bytes == found["tensor_bytes"]);
    CHECK(component_params == found["n_params"]);
    CHECK(n_tensors == static_cast<int64_t>(found["tensors"].size()));
    CHECK(found["bits_per_weight"].get<double>() == doctest::Approx(8.0 * tensor_bytes / component_params));
}

TEST_CASE("layers that differ are lists in the JSON and ranges in the text") {
    const TemporaryFolder folder;
    write_tiny_model({.architecture = "deci",
                      .n_layer = 3,
                      .n_head_of_layer = {4, 0, 2},
                      .n_head_kv_of_layer = {2, 0, 1},
                      .n_ff_of_layer = {96, 64, 32}},
                     folder / "m.gguf");
    const json found = inspect_json_of(folder / "m.gguf");
    CHECK(found["n_head"] == json({4, 0, 2}));
    CHECK(found["n_ff"] == json({96, 64, 32}));
    const Finished ran = run_ech0({"inspect", (folder / "m.gguf").string()});
    CHECK(ran.out.find("0 to 4 by layer heads of 16, 0 to 2 by layer KV heads") != std::string::npos);
}

TEST_CASE("provenance keys are shown") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    rewrite_gguf(folder / "m.gguf", folder / "made.gguf", [](gguf_context* gguf) {
        gguf_set_val_str(gguf, "ech0.source.sha256", "abc");
        gguf_set_val_u64(gguf, "ech0.budget_bytes", 12345);
    });
    CHECK(run_ech0({"inspect", (folder / "m.gguf").string()}).out.find("made by ech0") == std::string::npos);
    const Finished ran = run_ech0({"inspect", (folder / "made.gguf").string()});
    CHECK(ran.out.find("made by ech0\n") != std::string::npos);
    CHECK(ran.out.find("ech0.budget_bytes            12345") != std::string::npos);
    CHECK(inspect_json_of(folder / "made.gguf")["provenance"] ==
          json({{"ech0.source.sha256", "abc"}, {"ech0.budget_bytes", 12345}}));
}

TEST_CASE("names that a terminal would obey are shown spelled out") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    rewrite_gguf(folder / "m.gguf", folder / "evil.gguf", [](gguf_context* gguf) {
        gguf_set_val_str(gguf, "general.name", "evil\x1b[2J\n\xff");
        gguf_set_val_str(gguf, "general.license", "a\rb");
    });
    const Finished ran = run_ech0({"inspect", (folder / "evil.gguf").string()});
    CHECK(ran.status == 0);
    CHECK(ran.out.starts_with("evil\\x1b[2J\\x0a\\xff\n"));
    CHECK(ran.out.find("a\\x0db") != std::string::npos);
    CHECK(ran.out.find('\x1b') == std::string::npos);
    CHECK(inspect_json_of(folder / "evil.gguf")["name"] == "evil\x1b[2J\n\xef\xbf\xbd");
}

TEST_CASE("a split model is inspected as one") {
    const TemporaryFolder folder;
    const auto parts = write_tiny_model_parts({}, folder.path(), "m", 2);
    const json found = inspect_json_of(parts[1]);
    CHECK(found["files"] == json({parts[0].string(), parts[1].string()}));
    CHECK(run_ech0({"inspect", parts[0].string()}).out.find("and 1 more part") != std::string::npos);
}

TEST_CASE("inspect --check reads all of a file and ends with 0 if it is sound, with 1 if it is broken") {
    const Finished sound = run_ech0({"inspect", "demo", "--check", "--json", "--threads", "1"});
    CHECK(sound.status == 0);
    const json found = json::parse(sound.out);
    CHECK(found["schema"] == "ech0.check/1");
    CHECK(found["is"] == "sound");
    CHECK(found["points"].size() == 5);

    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const Tensor norm = *read_model((folder / "m.gguf").string()).find("output_norm.weight");
    std::fstream file(folder / "m.gguf", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(norm.offset_bytes);
    file.write("\xFF\xFF\xFF\xFF", 4);
    file.close();
    const Finished broken = run_ech0({"inspect", (folder / "m.gguf").string(), "--check"});
    CHECK(broken.status == 1);
    CHECK(broken.out.find("output_norm.weight") != std::string::npos);
}
