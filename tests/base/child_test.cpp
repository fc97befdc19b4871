#include "base/child.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

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
