// The frame around all commands: what a wrong or an unusual command line gets.

#include <doctest/doctest.h>

#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

void check_usage_error(const std::vector<std::string>& arguments, const std::string& wanted) {
    CAPTURE(wanted);
    const Finished ran = run_ech0(arguments);
    CHECK(ran.status == 2);
    CHECK(ran.out == "");
    CHECK(ran.err == wanted + "\n");
}

}  // namespace

TEST_CASE("a wrong command line ends with 2 and one line that names the remedy") {
    check_usage_error({"inspct", "x"}, "ech0: no command 'inspct'; did you mean 'inspect'?");
    check_usage_error({"inspect"}, "ech0: MODEL is required; see 'ech0 inspect -h'");
    check_usage_error({"inspect", "a", "b"}, "ech0: 'b' is one argument too many; see 'ech0 inspect -h'");
    check_usage_error({"inspect", "a", "--tensor"},
                      "ech0: no option '--tensor', did you mean '--tensors'?; see 'ech0 inspect -h'");
    check_usage_error({"--inspect"}, "ech0: no option '--inspect'; see 'ech0 -h'");
}

TEST_CASE("no command at all lists the commands") {
    const Finished ran = run_ech0({});
    CHECK(ran.status == 2);
    CHECK(ran.err.starts_with("ech0: no command; there are "));
    CHECK(ran.err.find("inspect") != std::string::npos);
    CHECK(count_lines(ran.err) == 1);
}

TEST_CASE("what was typed is shown without its control characters") {
    const Finished ran = run_ech0({"a\nb\x1b[2J"});
    CHECK(ran.status == 2);
    CHECK(ran.err.starts_with("ech0: no command 'a\\x0ab\\x1b[2J'; "));
    CHECK(count_lines(ran.err) == 1);
}

TEST_CASE("the short help is a reference and the long one begins with examples") {
    const Finished brief = run_ech0({"inspect", "-h"}), full = run_ech0({"inspect", "--help"});
    CHECK(brief.status == 0);
    CHECK(full.status == 0);
    CHECK(brief.err == "");
    CHECK(brief.out.find("Examples:") == std::string::npos);
    CHECK(brief.out.find("--tensors") != std::string::npos);
    CHECK(full.out.starts_with("Examples:\n  ech0 inspect "));
    CHECK(full.out.ends_with(brief.out));
    CHECK(run_ech0({"--help"}).out.starts_with("Examples:\n  ech0 "));
}

TEST_CASE("the version names the engine too") {
    const Finished ran = run_ech0({"--version"});
    CHECK(ran.status == 0);
    CHECK(ran.out.starts_with("ech0 " ECH0_VERSION " on llama.cpp "));
    CHECK(ran.out.find("ggml") != std::string::npos);
}

TEST_CASE("a closed pipe ends quietly") {
    const TemporaryFolder folder;
    write_tiny_model({.n_layer = 200, .n_embd = 32, .n_head = 2, .n_ff = 32},
                     folder / "m.gguf");  // more output than a pipe holds
    const Finished ran =
        run({"sh", "-c", std::string(ECH0_BINARY) + " inspect m.gguf --json | head -c 1"}, {.folder = folder.path()});
    CHECK(ran.err == "");
    CHECK(ran.out == "{");
}

TEST_CASE("a result that can't be written is an error") {
    if (!std::filesystem::exists("/dev/full")) return;
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const Finished ran =
        run({"sh", "-c", std::string(ECH0_BINARY) + " inspect m.gguf > /dev/full"}, {.folder = folder.path()});
    CHECK(ran.status == 2);
    CHECK(ran.err == "ech0: write the result to stdout: No space left on device\n");
}
