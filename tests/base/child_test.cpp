#include "base/child.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;

TEST_CASE("a child's streams stay apart and its status is kept") {
    const ChildResult ran = run_child("/bin/sh", {"-c", "echo out; echo err >&2; exit 3"});
    CHECK(ran.output == "out\n");
    CHECK(ran.errors == "err\n");
    CHECK(ran.exit_status == 3);
}

TEST_CASE("arguments reach a child as they are") {
    const ChildResult ran = run_child("/bin/sh", {"-c", "printf '%s|' \"$@\"", "sh", "a b", "$HOME", "'"});
    CHECK(ran.output == "a b|$HOME|'|");
}

TEST_CASE("a child that says more than a pipe holds on both streams does not block") {
    const ChildResult ran = run_child("/bin/sh", {"-c", "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero"});
    CHECK(ran.output.size() == 300000);
    CHECK(ran.errors.size() == 300000);
}

TEST_CASE("a child has no stdin, and a signal counts as a shell counts it") {
    CHECK(run_child("/bin/cat", {}).output.empty());
    CHECK(run_child("/bin/sh", {"-c", "kill -9 $$"}).exit_status == 128 + 9);
}

TEST_CASE("a program that is not there is an error that names it") {
    CHECK_THROWS_WITH_AS(run_child("/nowhere/prog", {}), doctest::Contains("/nowhere/prog"), FileError);
}

TEST_CASE("a child that takes longer than it may is killed") {
    const ChildResult ran = run_child("/bin/sh", {"-c", "echo begun; exec sleep 60"}, 0.3);
    CHECK(ran.output == "begun\n");
    CHECK(ran.exit_status == 128 + 9);
    CHECK(run_child("/bin/sh", {"-c", "exit 3"}, 60).exit_status == 3);
}

TEST_CASE("a program that is left to run is told about if it ends at once, and goes on if not") {
    CHECK(start_and_leave("/bin/sh", {"-c", "exit 3"}, 60) == 3);
    CHECK_THROWS_WITH_AS(start_and_leave("/nowhere/prog", {}, 60), doctest::Contains("/nowhere/prog"), FileError);
    const TemporaryFolder folder;
    const std::filesystem::path go = folder / "go", done = folder / "done";
    const std::string waits = "until [ -e '" + go.string() + "' ]; do sleep 0.05; done; : > '" + done.string() + "'";
    CHECK(start_and_leave("/bin/sh", {"-c", waits}, 0.1) == std::nullopt);
    write_file(go, "");
    for (int tries = 0; tries < 600 && !std::filesystem::exists(done); ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(std::filesystem::exists(done));
}
