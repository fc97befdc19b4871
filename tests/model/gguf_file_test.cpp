#include "model/gguf_file.h"

#include <doctest/doctest.h>
#include <ggml-cpp.h>
#include <gguf.h>

#include "support/raw_gguf.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

// What read_gguf says to these bytes, without the file's name; "" if it takes them.
std::string complaint(const std::string& bytes) {
    const TemporaryFolder folder;
    const std::filesystem::path file = folder / "m.gguf";
    write_file(file, bytes);
    try {
        read_gguf(file);
    } catch (const FormatError& error) {
        const std::string text = error.what(), name = file.string() + ": ";
        REQUIRE(text.starts_with(name));
        return text.substr(name.size());
    }
    return "";
}

std::string complaint(const RawGguf& gguf) { return complaint(gguf.bytes()); }

RawGguf one_tensor(const std::vector<int64_t>& shape, int32_t type, uint64_t offset = 0, int64_t data_bytes = 4096) {
    RawGguf gguf;
    gguf.tensor("t", shape, type, offset).data(data_bytes);
    return gguf;
}

void check_same_as_ggml(const std::filesystem::path& file) {
    const GgufFile ours = read_gguf(file);
    ggml_context* raw_tensors = nullptr;
    const gguf_context_ptr theirs(gguf_init_from_file(file.c_str(), {true, &raw_tensors}));
    const ggml_context_ptr tensors(raw_tensors);
    REQUIRE(theirs);
    CHECK(ours.version == gguf_get_version(theirs.get()));
    CHECK(ours.alignment_bytes == static_cast<int64_t>(gguf_get_alignment(theirs.get())));
    CHECK(ours.data_offset_bytes == static_cast<int64_t>(gguf_get_data_offset(theirs.get())));
    REQUIRE(static_cast<int64_t>(ours.tensors.size()) == gguf_get_n_tensors(theirs.get()));
    for (size_t i = 0; i < ours.tensors.size(); i++) {
        const Tensor& tensor = ours.tensors[i];
        const int64_t id = static_cast<int64_t>(i);
        CAPTURE(tensor.name);
        CHECK(tensor.name == gguf_get_tensor_name(theirs.get(), id));
        CHECK(tensor.type == gguf_get_tensor_type(theirs.get(), id));
        CHECK(tensor.size_bytes == static_cast<int64_t>(gguf_get_tensor_size(theirs.get(), id)));
        CHECK(tensor.offset_bytes - ours.data_offset_bytes ==
              static_cast<int64_t>(gguf_get_tensor_offset(theirs.get(), id)));
        const ggml_tensor* const shaped = ggml_get_tensor(tensors.get(), tensor.name.c_str());
        CHECK(tensor.n_elements == ggml_nelements(shaped));
        for (size_t j = 0; j < GGML_MAX_DIMS; j++)
            CHECK((j < tensor.shape.size() ? tensor.shape[j] : 1) == shaped->ne[j]);
    }
}

void check_same_keys_as_ggml(const std::filesystem::path& file) {
    const GgufFile ours = read_gguf(file);
    const gguf_context_ptr theirs(gguf_init_from_file(file.c_str(), {true, nullptr}));
    REQUIRE(static_cast<int64_t>(ours.entries.size()) == gguf_get_n_kv(theirs.get()));
    for (int64_t id = 0; id < gguf_get_n_kv(theirs.get()); id++) {
        const std::string key = gguf_get_key(theirs.get(), id);
        CAPTURE(key);
        const GgufEntry* const entry = ours.find(key);
        REQUIRE(entry != nullptr);
        CHECK(entry->type == gguf_get_kv_type(theirs.get(), id));
        if (entry->type == GGUF_TYPE_STRING)
            CHECK(std::get<std::string>(entry->value.scalar) == gguf_get_val_str(theirs.get(), id));
        if (entry->type == GGUF_TYPE_UINT32)
            CHECK(std::get<uint64_t>(entry->value.scalar) == gguf_get_val_u32(theirs.get(), id));
        if (entry->type == GGUF_TYPE_FLOAT32)
            CHECK(std::get<double>(entry->value.scalar) == gguf_get_val_f32(theirs.get(), id));
        if (entry->type == GGUF_TYPE_BOOL)
            CHECK(std::get<bool>(entry->value.scalar) == gguf_get_val_bool(theirs.get(), id));
        if (entry->type != GGUF_TYPE_ARRAY) continue;
        CHECK(entry->element_type == gguf_get_arr_type(theirs.get(), id));
        REQUIRE(entry->value.array_size == static_cast<int64_t>(gguf_get_arr_n(theirs.get(), id)));
        const std::vector<std::string_view> strings = ours.strings(*entry);
        for (size_t i = 0; i < strings.size(); i++) CHECK(strings[i] == gguf_get_arr_str(theirs.get(), id, i));
    }
}

}  // namespace

TEST_CASE("tensors and keys are those that ggml's own reader finds") {
    const TemporaryFolder folder;
    for (const char* architecture : {"llama", "qwen2", "qwen3", "gemma3"}) {
        for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q4_1}) {
            CAPTURE(architecture);
            write_tiny_model({.architecture = architecture, .tied = false, .type = type}, folder / "m.gguf");
            check_same_as_ggml(folder / "m.gguf");
            check_same_keys_as_ggml(folder / "m.gguf");
        }
    }
}

TEST_CASE("every kind of value is read as it was written") {
    const TemporaryFolder folder;
    const gguf_context_ptr gguf(gguf_init_empty());
    gguf_set_val_u8(gguf.get(), "u8", 200);
    gguf_set_val_i8(gguf.get(), "i8", -100);
    gguf_set_val_u16(gguf.get(), "u16", 60'000);
    gguf_set_val_i16(gguf.get(), "i16", -30'000);
    gguf_set_val_i32(gguf.get(), "i32", -2'000'000'000);
    gguf_set_val_u64(gguf.get(), "u64", UINT64_MAX);
    gguf_set_val_i64(gguf.get(), "i64", INT64_MIN);
    gguf_set_val_f64(gguf.get(), "f64", 0.1);
    gguf_set_val_bool(gguf.get(), "yes", true);
    const std::vector<uint8_t> bytes(10'000, 7);
    gguf_set_arr_data(gguf.get(), "long", GGUF_TYPE_UINT8, bytes.data(), bytes.size());
    gguf_set_arr_data(gguf.get(), "short", GGUF_TYPE_UINT8, bytes.data(), 3);
    REQUIRE(gguf_write_to_file(gguf.get(), (folder / "m.gguf").c_str(), true));

    const GgufFile file = read_gguf(folder / "m.gguf");
    const auto scalar = [&](const char* key) { return file.find(key)->value.scalar; };
    CHECK(scalar("u8") == MetaScalar(uint64_t{200}));
    CHECK(scalar("i8") == MetaScalar(int64_t{-100}));
    CHECK(scalar("u16") == MetaScalar(uint64_t{60'000}));
    CHECK(scalar("i16") == MetaScalar(int64_t{-30'000}));
    CHECK(scalar("i32") == MetaScalar(int64_t{-2'000'000'000}));
    CHECK(scalar("u64") == MetaScalar(UINT64_MAX));
    CHECK(scalar("i64") == MetaScalar(INT64_MIN));
    CHECK(scalar("f64") == MetaScalar(0.1));
    CHECK(scalar("yes") == MetaScalar(true));
    CHECK(file.find("short")->value.elements == std::vector<MetaScalar>(3, uint64_t{7}));
    CHECK(file.find("long")->value.array_size == 10'000);  // kept by length only
    CHECK(file.find("long")->value.elements.empty());
    CHECK(file.find("absent") == nullptr);
}

TEST_CASE("what is no GGUF is named by what it probably is") {
    CHECK(complaint("GGU") == "the file has 3 bytes, too few for a model: the download is incomplete");
    CHECK(complaint("") == "the file has 0 bytes, too few for a model: the download is incomplete");
    CHECK(complaint("FUGG" + std::string(100, 'x')) == "it begins with 'FUGG', wanted 'GGUF': this is no GGUF model");
    CHECK(complaint("<!DOCTYPE html><html>").find("this is a web page") != std::string::npos);
    CHECK(complaint("version https://git-lfs.github.com/spec/v1\n").find("Git LFS pointer") != std::string::npos);
    CHECK(complaint("PK\x03\x04 and more").find("zip archive") != std::string::npos);
    CHECK(complaint(RawGguf::little(80, 8) + "{\"__metadata__\":{}}").find("safetensors") != std::string::npos);
    CHECK(complaint("tjgg" + std::string(100, 'x')).find("before August 2023") != std::string::npos);
    CHECK(complaint(std::string(100, '\0')).find("the download is incomplete") != std::string::npos);
}

TEST_CASE("versions that can't be read are refused") {
    const auto version = [](uint32_t number) {
        RawGguf gguf;
        gguf.version = number;
        return complaint(gguf);
    };
    CHECK(version(2) == "");
    CHECK(version(3) == "");
    CHECK(version(1) == "GGUF version 1, wanted 2 or 3: the engine no longer reads that; fetch a newer conversion");
    CHECK(version(4).find("needs a newer ech0") != std::string::npos);
    CHECK(version(0x03000000).find("big-endian") != std::string::npos);
}

TEST_CASE("counts, lengths and types that can't be are refused") {
    RawGguf gguf;
    gguf.n_tensors = INT64_MAX;
    CHECK(complaint(gguf).find("inside the name of tensor 0") != std::string::npos);
    gguf = {};
    gguf.n_keys = INT64_MAX;
    CHECK(complaint(gguf).find("inside the name of key 0, which needs 8 bytes from byte 24") != std::string::npos);
    CHECK(complaint("GGUF" + RawGguf::little(3, 4) + RawGguf::little(UINT64_MAX, 8) + RawGguf::little(0, 8)) ==
          "the header claims -1 tensors and 0 keys: the file is damaged");
    CHECK(complaint(RawGguf().text("", "x")) == "key 0 has no name: the file is damaged");
    CHECK(complaint(RawGguf().number("a", 1).number("a", 2)) == "key 'a' appears twice: the file is damaged");
    CHECK(complaint(RawGguf().key("a", 77, "....")) ==
          "key 'a' has type 77, wanted one of 0 to 12: the file is damaged");
    CHECK(complaint(RawGguf().array("a", GGUF_TYPE_ARRAY, 1, "...........")).find("is an array of type 9") !=
          std::string::npos);
    CHECK(complaint(RawGguf().array("a", GGUF_TYPE_UINT64, uint64_t{1} << 61, ""))
              .find("claims 2305843009213693952 elements") != std::string::npos);
    CHECK(complaint(RawGguf().array("a", GGUF_TYPE_STRING, 3, std::string(20, '\0'))).find("claims 3 elements") !=
          std::string::npos);
    CHECK(complaint(RawGguf().key("a", GGUF_TYPE_STRING, RawGguf::little(UINT64_MAX, 8)))
              .find("a length of 18446744073709551615 bytes") != std::string::npos);
    CHECK(complaint(RawGguf().key("a", GGUF_TYPE_STRING, RawGguf::little(100, 8) + "short"))
              .find("inside key 'a', which needs 100 bytes") != std::string::npos);
}

TEST_CASE("an alignment that the engine would assert on is refused") {
    CHECK(complaint(RawGguf().number("general.alignment", 64)) == "");
    CHECK(complaint(RawGguf().number("general.alignment", 0)).find("wanted a power of two of at least 32") !=
          std::string::npos);
    CHECK(complaint(RawGguf().number("general.alignment", 48)).find("is 48, wanted a power of two") !=
          std::string::npos);
    CHECK(complaint(RawGguf().number("general.alignment", 8)).find("is 8, wanted a power of two of at least 32") !=
          std::string::npos);
    CHECK(complaint(RawGguf().text("general.alignment", "32")).find("has type 8, wanted 4") != std::string::npos);
}

TEST_CASE("tensor names are unique and short and whole") {
    const auto named = [](const std::string& name) {
        return complaint(RawGguf().tensor(name, {32}, GGML_TYPE_F32, 0).data(128));
    };
    CHECK(named(std::string(63, 'n')) == "");
    CHECK(named(std::string(64, 'n')).find("has 64 bytes, wanted 1 to 63") != std::string::npos);
    CHECK(named("").find("has 0 bytes, wanted 1 to 63") != std::string::npos);
    CHECK(named(std::string("a\0b", 3)).find("has a zero byte in its name") != std::string::npos);
    CHECK(complaint(RawGguf().tensor("t", {32}, GGML_TYPE_F32, 0).tensor("t", {32}, GGML_TYPE_F32, 128).data(256)) ==
          "tensor t appears twice: the file is damaged");
}

TEST_CASE("absurd shapes are refused before anything is multiplied") {
    CHECK(complaint(one_tensor({}, GGML_TYPE_F32)).find("has 0 dimensions, wanted 1 to 4") != std::string::npos);
    CHECK(complaint(one_tensor({1, 1, 1, 1, 1}, GGML_TYPE_F32)).find("has 5 dimensions") != std::string::npos);
    CHECK(complaint(one_tensor({0}, GGML_TYPE_F32)).find("has shape [0], wanted positive sizes") != std::string::npos);
    CHECK(complaint(one_tensor({-32}, GGML_TYPE_F32)).find("has shape [-32]") != std::string::npos);
    CHECK(complaint(one_tensor({INT64_MAX}, GGML_TYPE_F32)).find("whose product fits 63 bits") != std::string::npos);
    CHECK(
        complaint(one_tensor({int64_t{1} << 32, int64_t{1} << 32}, GGML_TYPE_F32)).find("whose product fits 63 bits") !=
        std::string::npos);
    CHECK(complaint(one_tensor({int64_t{1} << 61}, GGML_TYPE_F32)).find("too large to address") != std::string::npos);
    CHECK(complaint(one_tensor({int64_t{1} << 50}, GGML_TYPE_F32)).find("the download is incomplete; fetch it again") !=
          std::string::npos);
    CHECK(complaint(RawGguf()
                        .tensor("a", {int64_t{1} << 59}, GGML_TYPE_F32, 0)
                        .tensor("b", {int64_t{1} << 59}, GGML_TYPE_F32, uint64_t{1} << 61)
                        .tensor("c", {1}, GGML_TYPE_F32, uint64_t{1} << 62)
                        .data(128))
              .find("too large to address") != std::string::npos);
}

TEST_CASE("types that ggml doesn't know and rows that don't fit their blocks are refused") {
    CHECK(complaint(one_tensor({32}, -1)).find("has type -1, and this engine knows 0 to ") != std::string::npos);
    CHECK(complaint(one_tensor({32}, GGML_TYPE_COUNT)).find("or needs a newer ech0") != std::string::npos);
    CHECK(complaint(one_tensor({32}, 4)).find("which llama.cpp no longer reads") != std::string::npos);   // Q4_2
    CHECK(complaint(one_tensor({32}, 31)).find("which llama.cpp no longer reads") != std::string::npos);  // Q4_0_4_4
    CHECK(complaint(one_tensor({128}, GGML_TYPE_Q4_K)) ==
          "tensor t: 128 columns, not a multiple of 256 as q4_K needs: the file is damaged");
    CHECK(complaint(one_tensor({256}, GGML_TYPE_Q4_K)) == "");
}

TEST_CASE("tensors lie where the one before ends and inside the file") {
    CHECK(complaint(one_tensor({32}, GGML_TYPE_F32, 32)).find("lies at offset 32, wanted 0") != std::string::npos);
    CHECK(
        complaint(one_tensor({32}, GGML_TYPE_F32, UINT64_MAX)).find("lies at offset 18446744073709551615, too large") !=
        std::string::npos);
    CHECK(complaint(RawGguf().tensor("a", {33}, GGML_TYPE_F32, 0).tensor("b", {1}, GGML_TYPE_F32, 160).data(164)) ==
          "");
    CHECK(complaint(RawGguf().tensor("a", {33}, GGML_TYPE_F32, 0).tensor("b", {1}, GGML_TYPE_F32, 132).data(164))
              .find("tensor b lies at offset 132, wanted 160") != std::string::npos);
    const RawGguf whole = one_tensor({32}, GGML_TYPE_F32, 0, 128);
    CHECK(complaint(whole) == "");
    const std::string cut = whole.bytes().substr(0, whole.bytes().size() - 1);
    CHECK(complaint(cut) == "the file is " + std::to_string(cut.size()) + " bytes, its index needs " +
                                std::to_string(cut.size() + 1) + ": the download is incomplete; fetch it again");
}

TEST_CASE("a GGUF cut at every byte of its index is refused and at none crashes") {
    const std::string whole = RawGguf()
                                  .text("general.architecture", "llama")
                                  .number("llama.block_count", 1)
                                  .array("tokens", GGUF_TYPE_STRING, 2, RawGguf::sized("a") + RawGguf::sized("b"))
                                  .tensor("t", {32, 2}, GGML_TYPE_F16, 0)
                                  .data(128)
                                  .bytes();
    CHECK(complaint(whole) == "");
    for (size_t size = 0; size < whole.size(); size++) {
        CAPTURE(size);
        CHECK(complaint(whole.substr(0, size)).find("the download is incomplete") != std::string::npos);
    }
}

TEST_CASE("hostile names are shown without control characters") {
    CHECK(complaint(RawGguf().key("a\nb\x1b[2J", 99, "")).find("key 'a\\x0ab\\x1b[2J' has type 99") == 0);
}
