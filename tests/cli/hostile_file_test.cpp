// Ten ways of hurting the reader, each through the real program: whatever a file holds, the answer is the anatomy or
// one line on stderr and status 2; never a crash, a hang or a flood.

#include <random>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "model/gguf_file.h"
#include "support/raw_gguf.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

Finished inspect(const fs::path& file) { return run_ech0({"inspect", file.string()}, {.timeout_s = 20}); }

void check_refused(const Finished& ran, const std::string& wanted = "") {
    CHECK(ran.signal == 0);
    CHECK(ran.status == 2);
    CHECK(ran.out == "");
    CHECK(count_lines(ran.err) == 1);
    CHECK(ran.err.starts_with("ech0: "));
    CHECK(ran.err.find(wanted) != std::string::npos);
}

void check_refused_or_read(const Finished& ran) {
    CHECK(ran.signal == 0);
    if (ran.status == 0) {
        CHECK(ran.err == "");
        return;
    }
    check_refused(ran);
}

}  // namespace

TEST_CASE("a model truncated at 50 offsets is refused at each") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "whole.gguf");
    const std::string whole = read_file(folder / "whole.gguf");
    CHECK(inspect(folder / "whole.gguf").status == 0);
    const int64_t index_bytes = read_gguf(folder / "whole.gguf").data_offset_bytes;
    const int64_t size_bytes = static_cast<int64_t>(whole.size());
    for (int64_t i = 0; i < 50; i++) {
        // half of them inside the keys and the index, half inside the weights, and the last one byte before the end
        const int64_t cut =
            i < 25 ? index_bytes * i / 25 : index_bytes + (size_bytes - 1 - index_bytes) * (i - 25) / 24;
        CAPTURE(cut);
        write_file(folder / "cut.gguf", whole.substr(0, static_cast<size_t>(cut)));
        check_refused(inspect(folder / "cut.gguf"), "the download is incomplete");
    }
}

TEST_CASE("garbage in the metadata is refused or read and never crashes") {
    const TemporaryFolder folder;
    std::mt19937_64 random(42);
    for (const char* architecture : {"llama", "gemma3"}) {
        write_tiny_model({.architecture = architecture}, folder / "whole.gguf");
        const std::string whole = read_file(folder / "whole.gguf");
        const uint64_t index_bytes = static_cast<uint64_t>(read_gguf(folder / "whole.gguf").data_offset_bytes);
        for (int i = 0; i < 50; i++) {
            std::string wrong = whole;
            const size_t at = random() % index_bytes;
            for (size_t n = random() % 16 + 1; n > 0; n--) wrong[at + n] = static_cast<char>(random());
            CAPTURE(i);
            write_file(folder / "wrong.gguf", wrong);
            check_refused_or_read(inspect(folder / "wrong.gguf"));
        }
    }
}

TEST_CASE("a file of nothing but garbage after a right beginning is refused") {
    const TemporaryFolder folder;
    std::mt19937_64 random(7);
    for (int i = 0; i < 20; i++) {
        std::string bytes = "GGUF" + RawGguf::little(3, 4);
        while (bytes.size() < 4096) bytes.push_back(static_cast<char>(i % 2 == 0 ? random() : random() % 3));
        write_file(folder / "m.gguf", bytes);
        check_refused(inspect(folder / "m.gguf"));
    }
}

TEST_CASE("absurd tensor sizes are refused") {
    const TemporaryFolder folder;
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{INT64_MAX}, {int64_t{1} << 40, int64_t{1} << 40}, {-1}, {0}, {int64_t{1} << 40}}) {
        write_file(folder / "m.gguf", RawGguf()
                                          .text("general.architecture", "llama")
                                          .tensor("token_embd.weight", shape, GGML_TYPE_F32, 0)
                                          .data(1024)
                                          .bytes());
        check_refused(inspect(folder / "m.gguf"));
    }
}

TEST_CASE("a wrong beginning is refused") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    std::string bytes = read_file(folder / "m.gguf");
    bytes[0] = 'X';
    write_file(folder / "m.gguf", bytes);
    check_refused(inspect(folder / "m.gguf"), "it begins with 'XGUF', wanted 'GGUF'");
    write_file(folder / "empty.gguf", "");
    check_refused(inspect(folder / "empty.gguf"), "has 0 bytes");
}

TEST_CASE("a missing tensor and an unsupported type are named") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    rewrite_gguf(folder / "m.gguf", folder / "less.gguf", {},
                 [](ggml_tensor* tensor) { return std::string(tensor->name) != "blk.1.attn_v.weight"; });
    check_refused(inspect(folder / "less.gguf"),
                  "tensor blk.1.attn_v.weight is missing, wanted for a llama model of 2 layers");

    std::string bytes = read_file(folder / "m.gguf");
    const std::string name = "blk.0.ffn_up.weight";
    const size_t at = bytes.find(name) + name.size() + 20;  // past n_dims, 4 bytes, and two dimensions of 8
    bytes.replace(at, 4, RawGguf::little(200, 4));
    write_file(folder / "type.gguf", bytes);
    check_refused(inspect(folder / "type.gguf"),
                  "tensor blk.0.ffn_up.weight has type 200, and this engine knows 0 to ");
}

TEST_CASE("what can't be read is named with the reason") {
    const TemporaryFolder folder;
    check_refused(inspect(folder / "none.gguf"), "no model '");
    check_refused(inspect(folder.path()), "Is a directory; name a file, not a folder");
    fs::create_symlink(folder / "nowhere", folder / "dangling.gguf");
    check_refused(inspect(folder / "dangling.gguf"), "No such file or directory");
    REQUIRE(::mkfifo((folder / "pipe.gguf").c_str(), 0600) == 0);
    check_refused(inspect(folder / "pipe.gguf"), "not a regular file");
    write_tiny_model({}, folder / "m.gguf");
    fs::permissions(folder / "m.gguf", fs::perms::none);
    if (geteuid() != 0)
        check_refused(inspect(folder / "m.gguf"), "Permission denied; check its permissions");  // root reads all
}

TEST_CASE("a strange file name is shown without its control characters") {
    const TemporaryFolder folder;
    write_file(folder / "a\nb.gguf", "garbage");
    check_refused(inspect(folder / "a\nb.gguf"), "a\\x0ab.gguf: it begins with 'garb'");
}
