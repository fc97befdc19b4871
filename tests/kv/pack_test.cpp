#include "kv/pack.h"

#include <doctest/doctest.h>

#include <random>

#include "base/sha256.h"
#include "ech0/error.h"
#include "kv/row_block.h"
#include "kv/state.h"
#include "support/complaint.h"
#include "support/engine_state.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

std::span<const uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string unpacked(const std::string& file, const KvUnpackOptions& options = {}) {
    std::string out;
    unpack(as_bytes(file), read_ekv(as_bytes(file), "f"), "f", options, [&](std::span<const uint8_t> bytes) {
        out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    return out;
}

std::string packed(const std::string& state, const KvPackOptions& options = {}) {
    const TemporaryFolder folder;
    pack_state(as_bytes(state), "s", folder / "a.ekv", options);
    return read_file(folder / "a.ekv");
}

std::string packed_rows(const std::string& rows, ggml_type type, int64_t n_columns) {
    const TemporaryFolder folder;
    pack_plain_rows(as_bytes(rows), type, n_columns, folder / "a.ekv", {});
    return read_file(folder / "a.ekv");
}

EngineStateOptions quantized_cache() {
    EngineStateOptions options;
    options.model.n_embd_head = 64;
    options.type_k = options.type_v = GGML_TYPE_Q8_0;
    return options;
}

EngineStateOptions transposed_cache() {
    EngineStateOptions options;
    options.flash_attention = false;
    return options;
}

EngineStateOptions windowed_cache() {
    EngineStateOptions options;
    options.model.architecture = "gemma3";
    options.model.n_layer = 6;
    return options;
}

EngineStateOptions several_sequences() {
    EngineStateOptions options;
    options.n_sequences = 3;
    options.unified = false;
    return options;
}

}  // namespace

TEST_CASE("kv pack: states of all kinds and layouts come back to the bit") {
    for (const EngineStateOptions& options :
         {EngineStateOptions{}, quantized_cache(), transposed_cache(), windowed_cache(), several_sequences()}) {
        const EngineState state = make_engine_state(options);
        for (const std::string* bytes : {&state.session, &state.sequence, &state.buffer}) {
            const std::string file = packed(*bytes);
            CHECK(unpacked(file) == *bytes);
            CHECK(file.size() < bytes->size());
        }
    }
}

TEST_CASE("kv pack: any number of threads writes the same blocks and reads them") {
    const EngineState state = make_engine_state({});
    KvPackOptions one, four;
    one.n_threads = 1;
    four.n_threads = 4;
    const std::string a = packed(state.session, one), b = packed(state.session, four);
    const Ekv x = read_ekv(as_bytes(a), "a"), y = read_ekv(as_bytes(b), "b");
    REQUIRE(x.blocks.size() == y.blocks.size());
    for (size_t i = 0; i < x.blocks.size(); i++) CHECK(x.blocks[i].check == y.blocks[i].check);
    KvUnpackOptions threads;
    threads.n_threads = 4;
    CHECK(unpacked(a, threads) == state.session);
}

TEST_CASE("kv pack: equal numbers shrink more than 683 times, noise never grows by more than a thousandth") {
    const float value = 0.7F;
    std::string equal;
    for (int i = 0; i < 100 * 1000; i++) equal.append(reinterpret_cast<const char*>(&value), 4);
    const std::string small = packed_rows(equal, GGML_TYPE_F32, 1000);
    CHECK(equal.size() > 683 * small.size());
    CHECK(unpacked(small) == equal);

    std::mt19937_64 random(1);
    std::string noise;
    while (noise.size() < 400000) {
        const uint64_t bits = random();
        noise.append(reinterpret_cast<const char*>(&bits), 8);
    }
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16}) {
        const std::string large = packed_rows(noise, type, 1000);
        CHECK(large.size() * 1000 <= noise.size() * 1001);
        CHECK(unpacked(large) == noise);
    }
}

TEST_CASE("kv pack: one row over and over costs one row") {
    std::string rows;
    for (int i = 0; i < 50; i++) rows += "abcdefghijklmnop";
    const std::string file = packed_rows(rows, GGML_TYPE_F16, 8);
    CHECK(read_ekv(as_bytes(file), "f").blocks.at(0).size_bytes == 16);
    CHECK(unpacked(file) == rows);
}

TEST_CASE("kv pack: rows that are none are refused") {
    const TemporaryFolder folder;
    CHECK(complaint([&] { pack_plain_rows(as_bytes(std::string(10, 'x')), GGML_TYPE_F32, 3, folder / "a", {}); }) ==
          "10 bytes are no whole number of rows of 3 f32 numbers");
    CHECK(complaint([&] { pack_plain_rows(as_bytes(std::string(34, 'x')), GGML_TYPE_Q8_0, 16, folder / "a", {}); }) ==
          "34 bytes are no whole number of rows of 16 q8_0 numbers");
    CHECK_FALSE(std::filesystem::exists(folder / "a"));
}

TEST_CASE("kv pack: long tensors are cut into blocks of 32 MiB") {
    const std::vector<RowBlock> blocks = row_blocks(GGML_TYPE_F16, 1024, int64_t{100} << 20);
    REQUIRE(blocks.size() == 4);
    CHECK(blocks[0].size_bytes() == int64_t{32} << 20);
    CHECK(blocks[3].size_bytes() == int64_t{4} << 20);
    CHECK(blocks[3].offset_bytes == int64_t{96} << 20);
    CHECK(blocks[1].name == "rows, rows 16384-32767");
}

TEST_CASE("kv unpack: what is damaged is named, another model's cache refused") {
    const EngineState state = make_engine_state({});
    KvPackOptions options;
    options.model_name = "mine";
    options.model_sha256 = sha256("mine");
    std::string file = packed(state.sequence, options);
    KvUnpackOptions other;
    other.model_sha256 = sha256("other");
    CHECK(complaint([&] { unpacked(file, other); }).find("f: a cache of mine (SHA-256 ") == 0);
    other.model_sha256 = sha256("mine");
    CHECK(unpacked(file, other) == state.sequence);
    const Ekv ekv = read_ekv(as_bytes(file), "f");
    CHECK(block_names(ekv, "f") ==
          std::vector<std::string>{"K of layer 0", "K of layer 1", "V of layer 0", "V of layer 1"});
    file[static_cast<size_t>(ekv.blocks[2].offset_bytes)] ^= 4;
    CHECK(complaint([&] { unpacked(file); }).find("f: block 2 (V of layer 0) is damaged") == 0);
}

TEST_CASE("kv unpack: blocks that are not those of the content are refused") {
    const EngineState state = make_engine_state({});
    const std::string file = packed(state.sequence);
    Ekv ekv = read_ekv(as_bytes(file), "f");
    ekv.blocks.pop_back();
    CHECK(complaint([&] { block_names(ekv, "f"); }) == "f: 3 blocks, its content has 4");
    ekv = read_ekv(as_bytes(file), "f");
    ekv.content_bytes++;
    CHECK(complaint([&] { block_names(ekv, "f"); }) != "");
    ekv.content = EkvContent::rows;
    ekv.type = 1000;
    CHECK(complaint([&] { block_names(ekv, "f"); }) == "f: rows of type 1000, which this engine does not know");
    ekv.type = GGML_TYPE_F16;
    ekv.n_columns = -5;
    CHECK(complaint([&] { block_names(ekv, "f"); }) == "f: rows of -5 numbers");
    ekv.n_columns = 1;
    ekv.content_bytes = int64_t{1} << 60;  // found by fuzzing: a list of its blocks would fill the memory
    CHECK(complaint([&] { block_names(ekv, "f"); }) == "f: 4 blocks can't hold 1152921504606846976 bytes");
    const RowBlock block{"b", GGML_TYPE_F32, 2, 8, false, 0};
    std::vector<uint8_t> out(16);
    CHECK(complaint([&] { unpack_rows(block, RowCodec::stored, "abc", out); }) == "b: 3 bytes are stored, wanted 16");
    CHECK(complaint([&] { unpack_rows(block, RowCodec::repeated, "abc", out); }) ==
          "b: 3 bytes are repeated, wanted 4 or 8");
    CHECK(complaint([&] { unpack_rows(block, RowCodec::halves, "abc", out); }) ==
          "b: packed as half precision, which it is not");
    CHECK(complaint([&] { unpack_rows(block, static_cast<RowCodec>(9), "abc", out); }) ==
          "b: codec 9, which this version does not know");
}

TEST_CASE("kv unpack: ten thousand damaged files give an error each") {
    const std::string file = packed(make_engine_state({}).sequence);
    std::mt19937 random(7);
    int wrong = 0;
    for (int i = 0; i < 10000; i++) {
        std::string damaged = file;
        if (random() % 4 == 0) damaged.resize(random() % file.size());
        const int n = 1 + static_cast<int>(random() % 8);
        for (int j = 0; j < n && !damaged.empty(); j++)
            damaged[random() % damaged.size()] = static_cast<char>(random());
        if (damaged == file) continue;
        try {
            unpacked(damaged);
            wrong++;
        } catch (const Error&) {}
    }
    CHECK(wrong == 0);
}

TEST_CASE("kv pack: what is no state is refused, and no file appears") {
    const TemporaryFolder folder;
    CHECK(complaint([&] {
              pack_state(as_bytes("no state at all"), "s", folder / "a.ekv", {});
          }).find("s: begins with") == 0);
    CHECK(std::filesystem::is_empty(folder.path()));
}
