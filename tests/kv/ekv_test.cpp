#include "kv/ekv.h"

#include <doctest/doctest.h>

#include "base/deflate.h"
#include "base/sha256.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

std::span<const uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Ekv some_ekv() {
    Ekv ekv;
    ekv.content_bytes = 12345;
    ekv.content_sha256 = sha256("x");
    ekv.model_name = "a model";
    ekv.model_sha256 = sha256("m");
    ekv.engine = "4df29be";
    ekv.created_s = 1700000000;
    ekv.conversation = "[1,2]";
    ekv.frame = "cells and tokens 1, cells and tokens 2, cells";
    ekv.loss = EkvLoss{-120, sha256("p"), 0.004, 256, 250, 63, 64};
    return ekv;
}

std::string written(Ekv ekv, const std::vector<std::string>& blocks) {
    const TemporaryFolder folder;
    EkvWriter writer(folder / "a.ekv");
    for (const std::string& block : blocks) writer.add(EkvCodec::lossy, block);
    writer.finish(ekv);
    const std::string file = read_file(folder / "a.ekv");
    CHECK(ekv.file_bytes == static_cast<int64_t>(file.size()));
    return file;
}

// What reading it, blocks too, says; "" if all is well.
std::string complaint(const std::string& file) {
    try {
        const Ekv ekv = read_ekv(as_bytes(file), "f");
        for (size_t i = 0; i < ekv.blocks.size(); i++) ekv_block(as_bytes(file), ekv, i, "f", "K of layer 0");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("ekv: what is written is read") {
    const Ekv a = some_ekv();
    const std::string file = written(a, {"first", "", "third block"});
    const Ekv b = read_ekv(as_bytes(file), "f");
    CHECK(b.content == EkvContent::state);
    CHECK(b.content_bytes == a.content_bytes);
    CHECK(b.content_sha256 == a.content_sha256);
    CHECK(b.model_name == a.model_name);
    CHECK(b.model_sha256 == a.model_sha256);
    CHECK(b.engine == a.engine);
    CHECK(b.created_s == a.created_s);
    CHECK(b.conversation == a.conversation);
    CHECK(b.frame == a.frame);
    REQUIRE(b.loss);
    CHECK(b.loss->step == -120);
    CHECK(b.loss->profile_sha256 == sha256("p"));
    CHECK(b.loss->kl_divergence == 0.004);
    CHECK(b.loss->n_same_top1 == 250);
    CHECK(b.loss->n_greedy_equal == 63);
    REQUIRE(b.blocks.size() == 3);
    CHECK(ekv_block(as_bytes(file), b, 0, "f", "") == "first");
    CHECK(ekv_block(as_bytes(file), b, 1, "f", "").empty());
    CHECK(ekv_block(as_bytes(file), b, 2, "f", "") == "third block");
    CHECK(b.file_bytes == ekv_overhead_bytes(a, 3) + 16);
}

TEST_CASE("ekv: rows of numbers need no frame") {
    Ekv a;
    a.content = EkvContent::rows;
    a.content_bytes = 400000;
    a.type = 1;
    a.n_columns = 1000;
    const std::string file = written(a, {"b"});
    const Ekv b = read_ekv(as_bytes(file), "f");
    CHECK(b.content == EkvContent::rows);
    CHECK(b.type == 1);
    CHECK(b.n_columns == 1000);
    CHECK_FALSE(b.loss);
    CHECK(b.content_sha256.empty());
    CHECK(file.size() < 160);
}

TEST_CASE("ekv: cut off anywhere, longer, or with any byte changed, it is refused") {
    const std::string file = written(some_ekv(), {"first", "second"});
    CHECK(complaint(file) == "");
    for (size_t n = 0; n < file.size(); n++) {
        CHECK(complaint(file.substr(0, n)) != "");
        std::string changed = file;
        changed[n] = static_cast<char>(changed[n] ^ 1);
        CHECK(complaint(changed) != "");
    }
    CHECK(complaint(file + "x").find("cut off or something follows") != std::string::npos);
}

TEST_CASE("ekv: an index that ends beyond all numbers is refused without adding them up (found by fuzzing)") {
    std::string file = written(some_ekv(), {"first"});
    for (const size_t at : {24, 32}) file[at + 7] = static_cast<char>(0x7f);
    std::string sum;
    const std::string hex = sha256(file.substr(0, 56));
    for (size_t i = 0; i < 8; i++) sum.push_back(static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16)));
    file.replace(56, 8, sum);
    CHECK(complaint(file).find("its head an index of ") != std::string::npos);
}

TEST_CASE("ekv: it is said what is wrong") {
    const std::string file = written(some_ekv(), {"first", "second"});
    CHECK(complaint("GGUF and more, but no .ekv") == "f: no .ekv: it does not begin as one");
    CHECK(complaint(std::string(500, '\0')) == "f: an .ekv that was not finished: pack it again");
    CHECK(complaint(file.substr(0, 20)) == "f: an .ekv of 20 bytes: it is cut off");
    std::string other = file;
    other[8] = 7;
    CHECK(complaint(other) == "f: an .ekv of version 7; this ech0 reads version 1");
    other = file;
    other[16] ^= 1;
    CHECK(complaint(other) == "f: its head is damaged");
    other = file;
    other[64 + 7] ^= 1;  // second block
    CHECK(complaint(other) == "f: block 1 (K of layer 0) is damaged: its 6 bytes at 69 have another checksum");
    other = file;
    other.back() ^= 1;
    CHECK(complaint(other) == "f: its index is damaged");
}

TEST_CASE("ekv: cells that count up take next to nothing") {
    std::string frame;
    for (int32_t pos = 0; pos < 4096; pos++)
        for (const int32_t word : {pos, 1, 0}) frame.append(reinterpret_cast<const char*>(&word), 4);
    Ekv ekv = some_ekv();
    ekv.frame = frame + "end";
    const std::string file = written(ekv, {});
    CHECK(file.size() < 700);
    CHECK(read_ekv(as_bytes(file), "f").frame == ekv.frame);
}

TEST_CASE("deflate: back again, and lies about the length are found before memory is taken") {
    const std::string text(5000, 'a');
    const std::string packed = deflate(text);
    CHECK(inflate(packed, 5000) == text);
    CHECK_THROWS_AS(inflate(packed, 4999), FormatError);
    CHECK_THROWS_AS(inflate(packed, 5001), FormatError);
    CHECK_THROWS_AS(inflate(packed, -1), FormatError);
    CHECK_THROWS_AS(inflate(packed, int64_t{1} << 40), FormatError);
    CHECK_THROWS_AS(inflate("nonsense", 8), FormatError);
}
