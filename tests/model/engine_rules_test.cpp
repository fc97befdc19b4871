#include "model/engine_rules.h"

#include <cmath>
#include <cstdlib>
#include <functional>
#include <random>

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/raw_gguf.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

using EditKeys = std::function<void(gguf_context*)>;
using EditTensor = std::function<bool(ggml_tensor*)>;

// What read_model says to a tiny model that was changed; "" if it takes it.
std::string complaint(const TinyModel& model, const EditKeys& keys, const EditTensor& tensor = {}) {
    const TemporaryFolder folder;
    write_tiny_model(model, folder / "right.gguf");
    rewrite_gguf(folder / "right.gguf", folder / "m.gguf", keys, tensor);
    try {
        read_model((folder / "m.gguf").string());
    } catch (const FormatError& error) {
        const std::string file = (folder / "m.gguf").string() + ": ", text = error.what();
        REQUIRE(text.starts_with(file));
        return text.substr(file.size());
    }
    return "";
}

EditKeys set_u32(const char* key, uint32_t value) {
    return [=](gguf_context* gguf) { gguf_set_val_u32(gguf, key, value); };
}

EditKeys set_f32(const char* key, float value) {
    return [=](gguf_context* gguf) { gguf_set_val_f32(gguf, key, value); };
}

}  // namespace

TEST_CASE("an unchanged tiny model breaks no rule") {
    for (const char* architecture : {"llama", "deci", "qwen2", "qwen3", "gemma3"}) {
        CAPTURE(architecture);
        CHECK(complaint({.architecture = architecture}, {}) == "");
    }
    CHECK(complaint({.architecture = "qwen3moe", .n_expert = 4, .n_expert_used = 2}, {}) == "");
}

TEST_CASE("absurd hyper-parameters are named with the range that is wanted") {
    CHECK(complaint({}, set_u32("llama.block_count", 0)) ==
          "key 'llama.block_count' is 0, wanted 1 to 512: the file is damaged");
    CHECK(complaint({}, set_u32("llama.block_count", 4'000'000'000))
              .starts_with("key 'llama.block_count' is 4000000000, wanted"));
    CHECK(complaint({}, set_u32("llama.embedding_length", 0))
              .starts_with("key 'llama.embedding_length' is 0, wanted 1 to"));
    CHECK(
        complaint({}, set_u32("llama.context_length", 0)).starts_with("key 'llama.context_length' is 0, wanted 1 to"));
    CHECK(complaint({}, set_u32("llama.attention.head_count", 0))
              .starts_with("key 'llama.attention.head_count' is 0, wanted 1"));
    CHECK(complaint({}, set_u32("llama.attention.head_count_kv", 0))
              .starts_with("key 'llama.attention.head_count_kv' is 0, wanted 1"));
    CHECK(complaint({}, set_u32("llama.attention.key_length", 0))
              .starts_with("key 'llama.attention.key_length' is 0, wanted 1"));
    CHECK(complaint({}, set_u32("llama.feed_forward_length", UINT32_MAX))
              .starts_with("key 'llama.feed_forward_length' is 4294967295"));
    CHECK(
        complaint({}, set_u32("llama.pooling_type", 99)).starts_with("key 'llama.pooling_type' is 99, wanted 0 to 4"));
}

TEST_CASE("a hyper-parameter that is missing or no number is named") {
    CHECK(complaint({}, [](gguf_context* gguf) { gguf_remove_key(gguf, "llama.block_count"); }) ==
          "key 'llama.block_count' is missing, wanted a whole number: the file is damaged");
    CHECK(complaint({}, [](gguf_context* gguf) { gguf_set_val_str(gguf, "llama.embedding_length", "wide"); }) ==
          "key 'llama.embedding_length' is wide, wanted a whole number: the file is damaged");
}

TEST_CASE("heads that don't divide are refused") {
    CHECK(complaint({}, set_u32("llama.attention.head_count_kv", 3)) ==
          "layer 0 has 4 heads for 3 KV heads, wanted a multiple: the file is damaged");
    const EditKeys no_key_length = [](gguf_context* gguf) {
        gguf_remove_key(gguf, "llama.attention.key_length");
        gguf_set_val_u32(gguf, "llama.attention.head_count", 6);
    };
    CHECK(complaint({}, no_key_length) == "64 wide with 6 heads, wanted a multiple: the file is damaged");
    CHECK(complaint({}, set_u32("llama.attention.value_length", 8)) ==
          "heads of 16 for K and 8 for V, wanted the same: the file is damaged");
}

TEST_CASE("heads that are not as wide together as the model are refused where the engine assumes it") {
    // found by the random test below: GGML_ASSERT(ggml_nelements(a) == ne0*ne1*ne2) in ggml_reshape_3d
    CHECK(complaint({.architecture = "qwen2"}, set_u32("qwen2.attention.head_count", 720'900)) ==
          "720900 heads of 16, wanted 64 together, the model's width: the file is damaged");
}

TEST_CASE("rotary dimensions that the engine would assert on are refused") {
    CHECK(complaint({.architecture = "qwen2"}, set_u32("qwen2.rope.dimension_count", 8)) ==
          "key 'qwen2.rope.dimension_count' is 8, wanted 16 to 16: the file is damaged");
    CHECK(complaint({.architecture = "gemma3"}, set_u32("gemma3.rope.dimension_count", 7)) ==
          "7 dimensions are rotated, wanted an even number: the file is damaged");
    CHECK(complaint({.architecture = "gemma3"}, set_u32("gemma3.rope.dimension_count", 32)).find("wanted 2 to 16") !=
          std::string::npos);
    CHECK(
        complaint({}, [](gguf_context* gguf) { gguf_set_val_str(gguf, "llama.rope.scaling.type", "sideways"); }) ==
        "key 'llama.rope.scaling.type' is 'sideways', wanted one of linear, longrope, none, yarn: the file is damaged");
}

TEST_CASE("an epsilon that no norm can take is refused") {
    for (const float value : {-1.0F, std::nanf(""), INFINITY}) {
        CHECK(complaint({}, set_f32("llama.attention.layer_norm_rms_epsilon", value))
                  .find("wanted a small positive number") != std::string::npos);
    }
}

TEST_CASE("experts that don't add up are refused") {
    const TinyModel moe{.architecture = "qwen3moe", .n_expert = 4, .n_expert_used = 2};
    CHECK(complaint(moe, set_u32("qwen3moe.expert_used_count", 5)) ==
          "key 'qwen3moe.expert_used_count' is 5, wanted 1 to 4: the file is damaged");
    CHECK(complaint(moe, set_u32("qwen3moe.expert_used_count", 0)).find("wanted 1 to 4") != std::string::npos);
    CHECK(complaint(moe, set_u32("qwen3moe.expert_count", 5000)).find("wanted 0 to 1024") != std::string::npos);
    CHECK(complaint(moe, set_u32("qwen3moe.expert_group_count", 4)).find("wanted 0 to 3") != std::string::npos);
    CHECK(complaint(moe, set_u32("qwen3moe.expert_group_count", 3)) ==
          "4 experts in 3 groups, wanted a multiple: the file is damaged");
    CHECK(complaint(moe, set_u32("qwen3moe.expert_group_count", 2)).find("'qwen3moe.expert_group_used_count' is 0") !=
          std::string::npos);
    CHECK(complaint({}, set_u32("llama.expert_used_count", 2)).find("wanted 0 to 0") != std::string::npos);
    const EditKeys experts_in_qwen2 = [](gguf_context* gguf) {
        gguf_set_val_u32(gguf, "qwen2.expert_count", 4);
        gguf_set_val_u32(gguf, "qwen2.expert_used_count", 2);
    };
    CHECK(complaint({.architecture = "qwen2"}, experts_in_qwen2).find("'qwen2.expert_count' is 4, wanted 0 to 0") !=
          std::string::npos);
}

TEST_CASE("a model that doesn't generate is refused") {
    CHECK(complaint({}, [](gguf_context* gguf) {
              gguf_set_val_bool(gguf, "llama.attention.causal", false);
          }).find("wanted a model that generates text") != std::string::npos);
}

TEST_CASE("per-layer arrays have one value per layer") {
    const std::vector<uint32_t> three = {4, 4, 4};
    CHECK(complaint({.architecture = "deci"}, [&](gguf_context* gguf) {
              gguf_set_arr_data(gguf, "deci.attention.head_count", GGUF_TYPE_UINT32, three.data(), three.size());
          }) == "key 'deci.attention.head_count' has 3 values, wanted one for each of 2 layers: the file is damaged");
    const std::vector<float> fractions = {4.5F, 4.5F};
    CHECK(complaint({.architecture = "deci"}, [&](gguf_context* gguf) {
              gguf_set_arr_data(gguf, "deci.attention.head_count", GGUF_TYPE_FLOAT32, fractions.data(),
                                fractions.size());
          }).find("is no array of whole numbers") != std::string::npos);
}

TEST_CASE("a vocabulary with doubles is refused, as the engine would abort on it") {
    const auto tokens = [](std::vector<const char*> texts) {
        return [=](gguf_context* gguf) mutable {
            gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", texts.data(), texts.size());
        };
    };
    CHECK(complaint({}, tokens({"a", "b", "a"}))
              .starts_with("key 'tokenizer.ggml.tokens': token 2 is 'a', which an earlier one is too"));
    CHECK(complaint({}, tokens({"", "[EMPTY_0]"})).find("token 1 is '[EMPTY_0]'") != std::string::npos);
    // two empty ones are no doubles: the complaint is about what comes after, the embedding's shape
    CHECK(complaint({}, tokens({"", "", "x"})).starts_with("tensor token_embd.weight has shape"));
}

TEST_CASE("each tensor that the engine loads must be there") {
    for (const char* missing :
         {"token_embd.weight", "output_norm.weight", "blk.1.attn_norm.weight", "blk.0.attn_q.weight",
          "blk.1.attn_k.weight", "blk.0.attn_v.weight", "blk.1.attn_output.weight", "blk.0.ffn_norm.weight",
          "blk.1.ffn_gate.weight", "blk.0.ffn_up.weight", "blk.1.ffn_down.weight"}) {
        CAPTURE(missing);
        CHECK(complaint({}, {}, [&](ggml_tensor* tensor) { return std::string(tensor->name) != missing; }) ==
              std::string("tensor ") + missing +
                  " is missing, wanted for a llama model of 2 layers: fetch the file again");
    }
    for (const char* missing : {"blk.1.attn_q_norm.weight", "blk.0.attn_k_norm.weight",
                                "blk.0.post_attention_norm.weight", "blk.1.post_ffw_norm.weight"}) {
        CAPTURE(missing);
        CHECK(complaint({.architecture = "gemma3"}, {}, [&](ggml_tensor* tensor) {
                  return std::string(tensor->name) != missing;
              }).find(std::string("tensor ") + missing + " is missing") == 0);
    }
    for (const char* missing : {"blk.1.ffn_gate_inp.weight", "blk.0.ffn_gate_exps.weight", "blk.0.ffn_up_exps.weight",
                                "blk.1.ffn_down_exps.weight"}) {
        CAPTURE(missing);
        CHECK(complaint({.architecture = "qwen3moe", .n_expert = 4, .n_expert_used = 2}, {}, [&](ggml_tensor* tensor) {
                  return std::string(tensor->name) != missing;
              }).find(std::string("tensor ") + missing + " is missing") == 0);
    }
}

TEST_CASE("a tensor of another shape than the keys say is refused") {
    CHECK(
        complaint({}, {}, [](ggml_tensor* tensor) {
            if (std::string(tensor->name) == "blk.1.ffn_up.weight") tensor->ne[1] = 95;
            return true;
        }) == "tensor blk.1.ffn_up.weight has shape [64, 95], wanted [64, 96] by the file's keys: the file is damaged");
}

TEST_CASE("a type that can't be computed with is refused") {
    const auto retype = [](const char* name, ggml_type type) {
        return [=](ggml_tensor* tensor) {
            if (std::string(tensor->name) == name) {
                tensor->type = type;
                for (int i = 0; i < GGML_MAX_DIMS; i++) {
                    tensor->nb[i] = i == 0   ? ggml_type_size(type)
                                    : i == 1 ? ggml_row_size(type, tensor->ne[0])
                                             : tensor->nb[i - 1] * tensor->ne[i - 1];
                }
            }
            return true;
        };
    };
    CHECK(complaint({}, {}, retype("blk.0.ffn_up.weight", GGML_TYPE_I32)) ==
          "tensor blk.0.ffn_up.weight has type i32, wanted a type of weights: the file is damaged");
    CHECK(complaint({}, {}, retype("blk.0.ffn_up.weight", GGML_TYPE_Q8_1)).find("wanted a type of weights") !=
          std::string::npos);
    CHECK(complaint({}, {}, retype("blk.0.attn_norm.weight", GGML_TYPE_F16)) ==
          "tensor blk.0.attn_norm.weight has type f16, wanted f32: the file is damaged");
    CHECK(complaint({}, {}, retype("blk.0.ffn_up.weight", GGML_TYPE_F16)) == "");
}

namespace {

// The first bytes of the keys' values and lengths: where a change is most likely to stay a readable file.
std::vector<int64_t> number_places(const GgufFile& index) {
    std::vector<int64_t> places;
    for (const auto& [key, entry] : index.entries) {
        for (int64_t i = entry.value.is_array ? -8 : 0; i < 4; i++) places.push_back(entry.offset_bytes + i);
    }
    return places;
}

std::string damage(std::string bytes, const GgufFile& index, std::mt19937_64& random) {
    const std::vector<int64_t> places = number_places(index);
    for (uint64_t n = random() % 3 + 1; n > 0; n--) {
        const bool anywhere = random() % 6 == 0;
        const uint64_t at = anywhere ? random() % static_cast<uint64_t>(index.data_offset_bytes)
                                     : static_cast<uint64_t>(places[random() % places.size()]);
        bytes[at] = static_cast<char>(random() % 3 == 0 ? random() : random() % 20);
    }
    return bytes;
}

uint64_t environment_number(const char* name, uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

// The rules can only be known to be complete by looking: what passes them must not kill the engine. Bytes of the keys
// and of the tensor index are set at random; the weights stay, since the engine computes with any. ECH0_FUZZ_ROUNDS and
// ECH0_FUZZ_SEED look further.
TEST_CASE("no file that passes the rules kills the engine") {
    const uint64_t n_rounds = environment_number("ECH0_FUZZ_ROUNDS", 30);
    std::mt19937_64 random(environment_number("ECH0_FUZZ_SEED", 20261123));
    const TemporaryFolder folder;
    const fs::path wrong = folder / "wrong.gguf";
    int n_passed = 0, n_refused = 0;
    for (const char* architecture : {"llama", "qwen2", "qwen3", "gemma3", "deci", "qwen3moe"}) {
        const int64_t n_expert = std::string_view(architecture) == "qwen3moe" ? 4 : 0;
        write_tiny_model({.architecture = architecture, .n_expert = n_expert, .n_expert_used = n_expert / 2},
                         folder / "right.gguf");
        const std::string right = read_file(folder / "right.gguf");
        const GgufFile index = read_gguf(folder / "right.gguf");
        for (uint64_t round = 0; round < n_rounds; round++) {
            write_file(wrong, damage(right, index, random));
            try {
                read_model(wrong.string());
                n_passed++;
            } catch (const Error&) {
                n_refused++;
                continue;
            }
            const Finished probe = run({ECH0_ENGINE_PROBE, wrong.string()}, {.timeout_s = 60});
            CAPTURE(architecture);
            CAPTURE(round);
            CAPTURE(probe.err);
            if (probe.signal != 0)
                fs::copy_file(wrong, fs::temp_directory_path() / "ech0-killed-the-engine.gguf",
                              fs::copy_options::overwrite_existing);
            CHECK(probe.signal == 0);
        }
    }
    MESSAGE("passed the rules: " << n_passed << ", refused: " << n_refused);
    CHECK(n_passed > 10);
    CHECK(n_refused > 10);
}
