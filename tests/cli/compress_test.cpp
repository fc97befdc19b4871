#include <doctest/doctest.h>

#include <sstream>

#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_compress.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

using Fixture = TinyCompress;

std::set<std::string> keys_of(const nlohmann::json& object) {
    std::set<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.insert(key);
    return keys;
}

}  // namespace

TEST_CASE("compress prints one object with the fields that others rely on, and nothing else") {
    const Fixture f;
    const Finished run = run_ech0(f.compress("700kB", {"--json"}), f.here);
    REQUIRE(run.status == 0);
    const nlohmann::json json = nlohmann::json::parse(run.out);
    CHECK(json["schema"] == "ech0.compress/1");
    CHECK(keys_of(json) == std::set<std::string>{"schema", "source", "output", "budget_bytes",
                                                 "selection_kl_divergence", "predicted_kl_divergence", "tensors",
                                                 "tried", "seconds", "peak_memory_bytes", "predicted_peak_memory_bytes",
                                                 "moment_columns", "ways", "verdict", "evidence"});
    CHECK(json["output"]["size_bytes"].get<int64_t>() <= 700'000);
    CHECK(json["output"]["size_bytes"].get<int64_t>() ==
          static_cast<int64_t>(std::filesystem::file_size(f.folder / "out.gguf")));
    CHECK(json["evidence"]["schema"] == "ech0.verify/1");
    CHECK(json["evidence"]["candidates"][0]["sha256"] == json["output"]["sha256"]);
}

TEST_CASE("compress needs to know how large the file may be, and where to put it") {
    const Fixture f;
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"compress", "tiny.gguf", "-o", "out.gguf"},
          {"compress", "tiny.gguf", "--size", "700kB"},
          {"compress", "tiny.gguf", "--size", "700kB", "--bpw", "4", "-o", "out.gguf"},
          f.compress("700kB", {"--effort", "7"})}) {
        const Finished run = run_ech0(arguments, f.here);
        CHECK(run.status == 2);
        CHECK(count_lines(run.err) == 1);
        CHECK(run.out.empty());
        CHECK_FALSE(f.left_behind());
    }
}

namespace {

// On a slow machine lines of progress stand before what went wrong.
int64_t count_complaints(const std::string& err) {
    int64_t n = 0;
    std::istringstream lines(err);
    for (std::string line; std::getline(lines, line);) n += line.starts_with("ech0: ");
    return n;
}

}  // namespace

TEST_CASE("a disk that fills up is one line, and nothing is left") {
    const Fixture f;
    // A limit of file size is what a full disk is to write(); 100 blocks hold the small files of the work folder.
    std::string command = "ulimit -f 400; exec \"$0\" \"$@\"";
    std::vector<std::string> arguments = {"/bin/bash", "-c", command, run_ech0_path()};
    for (const std::string& a : f.compress("700kB", {"--no-proof"})) arguments.push_back(a);
    const Finished run = ech0::run(arguments, f.here);
    CHECK(run.status == 2);
    CHECK(count_complaints(run.err) == 1);
    CHECK_FALSE(f.left_behind());
}

TEST_CASE("killed at any moment, nothing stands under the name, and the next run gives the same bytes") {
    const Fixture f;
    REQUIRE(run_ech0(f.compress("700kB", {"--no-proof"}), f.here).status == 0);
    const std::string expected = read_file(f.folder / "out.gguf");
    for (const double after_s : {0.05, 0.2, 0.4, 0.7, 1.2}) {
        CAPTURE(after_s);
        std::filesystem::remove(f.folder / "out.gguf");
        RunOptions killed = f.here;
        killed.timeout_s = after_s;
        const Finished run = run_ech0(f.compress("700kB", {"--no-proof"}), killed);
        if (run.signal != 0) CHECK_FALSE(std::filesystem::exists(f.folder / "out.gguf"));
        CHECK(run_ech0(f.compress("700kB", {"--no-proof"}), f.here).status == 0);
        CHECK(read_file(f.folder / "out.gguf") == expected);
        CHECK_FALSE(std::filesystem::exists(f.folder / "out.gguf.ech0-work"));
    }
}

TEST_CASE("calibrate writes what compress reads, and prints the text it used") {
    const Fixture f;
    REQUIRE(run_ech0({"calibrate", "tiny.gguf", "-o", "c.gguf", "--ctx", "64", "--calibration", "text.txt"}, f.here)
                .status == 0);
    CHECK(run_ech0(f.compress("700kB", {"--imatrix", "c.gguf", "--no-proof"}), f.here).status == 0);
    const Finished text = run_ech0({"calibrate", "tiny.gguf", "--print-text", "--calibration", "text.txt"}, f.here);
    CHECK(text.out == read_file(f.folder / "text.txt"));
    const Finished own = run_ech0({"calibrate", "tiny.gguf", "--print-text"}, f.here);
    CHECK(own.out.size() > 100'000);
    const Finished nowhere = run_ech0({"calibrate", "tiny.gguf"}, f.here);
    CHECK(nowhere.status == 2);
}

TEST_CASE("too little memory is one line that says how much is needed, and that much is enough for the same bytes") {
    const Fixture f;
    const Finished refused = run_ech0(f.compress("700kB", {"--memory", "20MiB"}), f.here);
    CHECK(refused.status == 2);
    CHECK(count_complaints(refused.err) == 1);
    CHECK_FALSE(f.left_behind());
    const std::string words = "takes at least ";
    const size_t at = refused.err.find(words);
    REQUIRE(at != std::string::npos);
    const std::string needed =
        refused.err.substr(at + words.size(), refused.err.find(" of memory", at) - at - words.size());

    const auto bytes_with = [&](std::vector<std::string> more) {
        more.insert(more.end(), {"--no-proof", "--effort", "1", "--json"});
        const Finished run = run_ech0(f.compress("700kB", more), f.here);
        REQUIRE_MESSAGE(run.status == 0, run.err);
        return nlohmann::json::parse(run.out);
    };
    CAPTURE(needed);
    const double mib = std::stod(needed) + 16;
    const nlohmann::json tight = bytes_with({"--memory", std::to_string(static_cast<int>(mib)) + "MiB"});
    const nlohmann::json wide = bytes_with({"--fresh"});
    CHECK(tight["moment_columns"].get<int64_t>() >= 512);  // all of this model's inputs
    CHECK(tight["output"]["sha256"] == wide["output"]["sha256"]);
    CHECK(tight["peak_memory_bytes"].get<double>() <= mib * 1024 * 1024);
}

TEST_CASE("moments that calibrate gathered are taken instead of gathering them, for the same bytes") {
    const Fixture f;
    const std::vector<std::string> more = {"--no-proof", "--effort", "1", "--json"};
    const Finished own = run_ech0(f.compress("700kB", more), f.here);
    REQUIRE(own.status == 0);
    const Finished gathered = run_ech0({"calibrate", "tiny.gguf", "--moments", "moments", "--ctx", "64",
                                        "--calibration", "text.txt", "--tokens", "6144", "--json"},
                                       f.here);
    REQUIRE_MESSAGE(gathered.status == 0, gathered.err);
    CHECK(nlohmann::json::parse(gathered.out)["output"] == "moments");
    std::vector<std::string> again = more;
    again.insert(again.end(), {"--moments", "moments"});
    const Finished taken = run_ech0(f.compress("700kB", again), f.here);
    REQUIRE_MESSAGE(taken.status == 0, taken.err);
    CHECK(nlohmann::json::parse(taken.out)["output"]["sha256"] == nlohmann::json::parse(own.out)["output"]["sha256"]);

    const Finished less = run_ech0({"calibrate", "tiny.gguf", "--moments", "moments", "--ctx", "64", "--calibration",
                                    "text.txt", "--tokens", "128"},
                                   f.here);
    CHECK(less.status == 2);
    CHECK(less.err.find("name another folder") != std::string::npos);

    TinyModel other;
    other.seed = 2;
    write_tiny_model(other, f.folder / "tiny.gguf");
    const Finished refused = run_ech0(f.compress("100kB", again), f.here);
    CHECK(refused.status == 2);
    CHECK(refused.err.find("another model") != std::string::npos);
}

}  // namespace ech0
