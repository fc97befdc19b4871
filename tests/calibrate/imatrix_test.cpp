#include <doctest/doctest.h>

#include <cstring>

#include "base/file.h"
#include "ech0/calibration.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

namespace ech0 {
namespace {

Calibration sample() {
    Calibration c;
    c.source_sha256 = "ab";
    c.text_sha256 = "cd";
    c.text_name = "mail.txt";
    c.n_ctx = 512;
    c.n_tokens = 1024;
    c.tensors.push_back({"blk.0.attn_q.weight", 3, 1, {1, 2, 3}, {1024}});
    c.tensors.push_back({"blk.0.ffn_down_exps.weight", 2, 2, {1, 2, 3, 4}, {7, 0}});
    return c;
}

template <class T>
void append(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string legacy_entry(const std::string& name, int32_t n_calls, const std::vector<float>& values) {
    std::string out;
    append(out, static_cast<int32_t>(name.size()));
    out += name;
    append(out, n_calls);
    append(out, static_cast<int32_t>(values.size()));
    for (const float v : values) append(out, v);
    return out;
}

}  // namespace

TEST_CASE("statistics survive writing and reading") {
    const TemporaryFolder folder;
    write_imatrix(sample(), folder / "c.gguf");
    const Calibration back = read_imatrix(folder / "c.gguf");
    CHECK(back.source_sha256 == "ab");
    CHECK(back.text_sha256 == "cd");
    CHECK(back.n_tokens == 1024);
    REQUIRE(back.tensors.size() == 2);
    const Importance* experts = back.find("blk.0.ffn_down_exps.weight");
    REQUIRE(experts != nullptr);
    CHECK(experts->n_mat == 2);
    CHECK(experts->sum_square == std::vector<float>{1, 2, 3, 4});
    CHECK(experts->count == std::vector<float>{7, 0});
    CHECK(experts->mean_square(0, 1) == doctest::Approx(2.0 / 7));
    CHECK(experts->mean_square(1, 0) == 1);  // never chosen: no opinion
}

TEST_CASE("the old form of llama-imatrix is read: values are mean squares times chunks") {
    const TemporaryFolder folder;
    std::string file;
    append(file, int32_t{1});
    file += legacy_entry("blk.0.attn_q.weight", 4, {8, 12});
    append(file, int32_t{4});
    write_file(folder / "old.dat", file);
    const Calibration c = read_imatrix(folder / "old.dat");
    REQUIRE(c.tensors.size() == 1);
    CHECK(c.tensors[0].mean_square(0, 0) == 2);
    CHECK(c.tensors[0].mean_square(0, 1) == 3);
}

TEST_CASE("files that are no importance matrix are refused by name") {
    const TemporaryFolder folder;
    std::string cut;
    append(cut, int32_t{2});
    cut += legacy_entry("blk.0.attn_q.weight", 4, {8, 12});
    std::string greedy;  // two billion values, of which none is there
    append(greedy, int32_t{1});
    append(greedy, int32_t{1});
    greedy += "x";
    append(greedy, int32_t{1});
    append(greedy, INT32_MAX);
    for (const std::string& content :
         {cut, greedy, std::string("GGUF but no more"), std::string("\0\0\0\0", 4), std::string("x")}) {
        write_file(folder / "bad", content);
        CHECK_THROWS_AS(read_imatrix(folder / "bad"), FormatError);
    }
    CHECK_THROWS_AS(read_imatrix(folder / "absent"), FileError);
}

}  // namespace ech0
