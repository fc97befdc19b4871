#include "ech0/model.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/raw_gguf.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

Model read_tiny(const TinyModel& tiny) {
    const TemporaryFolder folder;
    write_tiny_model(tiny, folder / "m.gguf");
    return read_model((folder / "m.gguf").string());
}

std::string complaint(const std::string& asked) {
    try {
        read_model(asked);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("the anatomy of each known architecture is what was written") {
    for (const char* architecture : {"llama", "deci", "qwen2", "qwen3", "gemma3"}) {
        CAPTURE(architecture);
        const TinyModel tiny{.architecture = architecture, .n_layer = 3};
        const Model model = read_tiny(tiny);
        CHECK(model.architecture == architecture);
        CHECK(model.name == std::string("tiny ") + architecture);
        CHECK(model.licence == "mit");
        CHECK_FALSE(model.chat_template.empty());
        CHECK(model.n_layer == 3);
        CHECK(model.n_embd == 64);
        CHECK(model.n_ff == std::vector<int64_t>(3, 96));
        CHECK(model.n_head == std::vector<int64_t>(3, 4));
        CHECK(model.n_head_kv == std::vector<int64_t>(3, 2));
        CHECK(model.n_embd_head_k == 16);
        CHECK(model.n_embd_head_v == 16);
        CHECK(model.n_vocab == tiny_vocabulary_size(architecture));
        CHECK(model.n_ctx_train == 256);
        CHECK(model.n_swa == (tiny.architecture == "gemma3" ? 16 : 0));
        CHECK(model.n_expert == 0);
        CHECK(model.tied_embeddings);
        CHECK(model.source_type == "f32");
        CHECK(model.kv_bytes_per_token() == 3 * 2 * (16 + 16) * 2);  // layers x KV heads x (K + V) x two bytes
    }
}

TEST_CASE("sums are those of the shapes") {
    const Model model = read_tiny({.n_layer = 2, .tied = false, .type = GGML_TYPE_F16});
    const int64_t n_vocab = tiny_vocabulary_size("llama");
    const int64_t matrices = 2 * n_vocab * 64 + 2 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 96);
    const int64_t norms = 5 * 64;  // two in each layer, one before the output
    CHECK(model.n_params == matrices + norms);
    CHECK(model.tensor_bytes == matrices * 2 + norms * 4);
    CHECK(model.bits_per_weight == doctest::Approx(8.0 * (matrices * 2 + norms * 4) / (matrices + norms)));
    CHECK(model.source_type == "f16");
    CHECK_FALSE(model.tied_embeddings);
}

TEST_CASE("experts are counted and their tensors are part of the sums") {
    const Model model = read_tiny({.architecture = "qwen3moe", .n_expert = 4, .n_expert_used = 2});
    CHECK(model.n_expert == 4);
    CHECK(model.n_expert_used == 2);
    CHECK(model.find("blk.1.ffn_down_exps.weight")->shape == std::vector<int64_t>{96, 64, 4});
}

TEST_CASE("layers may differ and the KV cache counts each as it is") {
    const Model model = read_tiny({.architecture = "deci",
                                   .n_layer = 3,
                                   .n_head_of_layer = {4, 0, 2},
                                   .n_head_kv_of_layer = {2, 0, 1},
                                   .n_ff_of_layer = {96, 64, 0}});
    CHECK(model.n_head == std::vector<int64_t>{4, 0, 2});
    CHECK(model.n_head_kv == std::vector<int64_t>{2, 0, 1});
    CHECK(model.n_ff == std::vector<int64_t>{96, 64, 0});
    CHECK(model.kv_bytes_per_token() == (2 + 0 + 1) * (16 + 16) * 2);
}

TEST_CASE("heads may be of another size than the width over their number") {
    const Model model = read_tiny({.architecture = "qwen3", .n_embd_head = 32});
    CHECK(model.n_embd_head_k == 32);
    CHECK(model.kv_bytes_per_token() == 2 * 2 * (32 + 32) * 2);
}

TEST_CASE("a split model is read from whichever part is named") {
    const TemporaryFolder folder;
    const TinyModel tiny{.n_layer = 3};
    const std::vector<fs::path> parts = write_tiny_model_parts(tiny, folder.path(), "m", 3);
    write_tiny_model(tiny, folder / "whole.gguf");
    const Model whole = read_model((folder / "whole.gguf").string());
    for (const fs::path& part : parts) {
        const Model model = read_model(part.string());
        CHECK(model.files == parts);
        CHECK(model.n_params == whole.n_params);
        REQUIRE(model.tensors.size() == whole.tensors.size());
        int64_t size_bytes = 0;
        for (const fs::path& file : parts) size_bytes += static_cast<int64_t>(fs::file_size(file));
        CHECK(model.size_bytes == size_bytes);
        // each tensor's bytes are found where the index says
        for (size_t i = 0; i < model.tensors.size(); i++) {
            const Tensor &split = model.tensors[i], &one = whole.tensors[i];
            const auto bytes = [](const Model& of, const Tensor& tensor) {
                return read_file(of.files[static_cast<size_t>(tensor.part)])
                    .substr(static_cast<size_t>(tensor.offset_bytes), static_cast<size_t>(tensor.size_bytes));
            };
            CHECK(split.name == one.name);
            CHECK(bytes(model, split) == bytes(whole, one));
        }
    }
}

TEST_CASE("a part that is missing or belongs elsewhere is named") {
    const TemporaryFolder folder;
    const std::vector<fs::path> parts = write_tiny_model_parts({}, folder.path(), "m", 3);
    write_tiny_model_parts({.n_layer = 4}, folder.path(), "other", 3);
    SUBCASE("missing") {
        fs::remove(parts[1]);
        CHECK(complaint(parts[0].string()) ==
              parts[0].string() + ": 1 of 3 parts missing: m-00002-of-00003.gguf; put them in the same folder");
        CHECK(complaint(parts[1].string()).find("1 of 3 parts missing") != std::string::npos);
    }
    SUBCASE("the wrong number") {
        fs::copy_file(folder / "other-00003-of-00003.gguf", parts[1], fs::copy_options::overwrite_existing);
        CHECK(complaint(parts[0].string()) ==
              parts[1].string() + ": key 'split.no' is 2, wanted 1: the parts are mixed up; fetch this one again");
    }
    SUBCASE("of another model") {
        fs::copy_file(folder / "other-00002-of-00003.gguf", parts[1], fs::copy_options::overwrite_existing);
        CHECK(complaint(parts[0].string()).find("the parts are not of one model") != std::string::npos);
    }
    SUBCASE("the same one twice") {
        rewrite_gguf(parts[0], parts[1], [](gguf_context* gguf) { gguf_set_val_u16(gguf, "split.no", 1); });
        CHECK(complaint(parts[0].string()).find("is in another part too: the parts are not of one model") !=
              std::string::npos);
    }
    SUBCASE("a number of another type") {
        rewrite_gguf(parts[1], folder / "changed", [](gguf_context* gguf) { gguf_set_val_u32(gguf, "split.no", 1); });
        fs::rename(folder / "changed", parts[1]);
        CHECK(complaint(parts[0].string()).find("key 'split.no' is 1, wanted 1") != std::string::npos);
    }
    SUBCASE("renamed") {
        fs::rename(parts[0], folder / "renamed.gguf");
        CHECK(complaint((folder / "renamed.gguf").string())
                  .find("key 'split.count' is 3, and there is 1 by the file's name") != std::string::npos);
    }
    SUBCASE("an impossible number") {
        CHECK(complaint((folder / "m-00004-of-00003.gguf").string()).find("part 4 of 3 cannot be") !=
              std::string::npos);
        CHECK(complaint((folder / "m-00000-of-00003.gguf").string()).find("part 0 of 3 cannot be") !=
              std::string::npos);
    }
}

TEST_CASE("a model that isn't there is named with the place that was searched") {
    const TemporaryFolder folder;
    CHECK(complaint((folder / "none.gguf").string()) ==
          "no model '" + (folder / "none.gguf").string() + "': looked for a file of that name in " +
              folder.path().string() +
              "; MODEL is the path of a .gguf file, 'demo', or a name that 'ech0 models' lists");
    CHECK(complaint("").find("no model named") == 0);
}

TEST_CASE("the demo model is found in the cache and only as it was published") {
    const TemporaryFolder cache;
    const TemporaryVariable variable("ECH0_CACHE", cache.path().string());
    CHECK(complaint("demo").find("the demo model is not here yet: looked for " + cache.path().string()) == 0);
    fs::create_directories(cache / "models");
    write_tiny_model({}, cache / "models" / "smollm2-135m-instruct-q4_1.gguf");
    CHECK(complaint("demo").find(", wanted b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53") !=
          std::string::npos);
}

TEST_CASE("GGUF files that hold no language model are called what they are") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const auto changed = [&](const char* key, const char* value) {
        rewrite_gguf(folder / "m.gguf", folder / "changed.gguf",
                     [=](gguf_context* gguf) { gguf_set_val_str(gguf, key, value); });
        return complaint((folder / "changed.gguf").string());
    };
    CHECK(changed("general.type", "imatrix").find("this is an importance matrix, not a model") != std::string::npos);
    CHECK(changed("general.type", "adapter").find("this is a LoRA adapter") != std::string::npos);
    CHECK(changed("general.architecture", "clip").find("the eye of a vision model") != std::string::npos);
    CHECK(changed("general.architecture", "").find("'general.architecture' is missing") != std::string::npos);
    rewrite_gguf(folder / "m.gguf", folder / "vocab.gguf", {}, [](ggml_tensor*) { return false; });
    CHECK(complaint((folder / "vocab.gguf").string()).find("holds a vocabulary only") != std::string::npos);
}

TEST_CASE("latent attention keeps one vector and shared layers keep none") {
    Model model;
    model.architecture = "deepseek2";
    model.n_layer = 4;
    model.n_head_kv.assign(4, 1);
    model.n_embd_head_k = 576;
    model.n_embd_head_v = 512;
    CHECK(model.kv_bytes_per_token() == 4 * (576 + 512) * 2);
    model.metadata["deepseek2.attention.key_length_mla"].scalar = uint64_t{192};
    model.metadata["deepseek2.attention.value_length_mla"].scalar = uint64_t{128};
    CHECK(model.kv_bytes_per_token() == 4 * 576 * 2);
    model.metadata["deepseek2.attention.shared_kv_layers"].scalar = uint64_t{1};
    CHECK(model.kv_bytes_per_token() == 3 * 576 * 2);
}
