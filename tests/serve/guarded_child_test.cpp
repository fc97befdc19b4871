#include "serve/guarded_child.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

GuardedChild::Command shell(const std::string& script) { return {"/bin/sh", {"-c", script}, {}}; }

bool is_gone(pid_t pid) {
    for (int i = 0; i < 250; i++) {
        if (kill(pid, 0) != 0) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}

int wait_for_end(GuardedChild& child) {
    for (int i = 0; i < 500 && !child.exit_status(); i++) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return child.exit_status().value_or(-1);
}

}  // namespace

TEST_CASE("a child's words go to the log's end, its status and its signal come back") {
    const TemporaryFolder folder;
    write_file(folder / "log", "before\n");
    GuardedChild first(shell("echo out; echo err >&2; exit 3"), folder / "log");
    CHECK(wait_for_end(first) == 3);
    CHECK(read_file(folder / "log") == "before\nout\nerr\n");
    GuardedChild second(shell("kill -9 $$"), folder / "log");
    CHECK(wait_for_end(second) == 128 + SIGKILL);
}

TEST_CASE("a child gets the variables that are set for it, and not those taken away") {
    const TemporaryFolder folder;
    const TemporaryVariable kept("ECH0_TEST_KEPT", "kept"), taken("ECH0_TEST_TAKEN", "taken");
    GuardedChild child({"/bin/sh",
                        {"-c", "echo \"$ECH0_TEST_KEPT,$ECH0_TEST_TAKEN,$ECH0_TEST_SET\""},
                        {"ECH0_TEST_TAKEN", "ECH0_TEST_SET=a=b"}},
                       folder / "log");
    CHECK(wait_for_end(child) == 0);
    CHECK(read_file(folder / "log") == "kept,,a=b\n");
}

TEST_CASE("stop asks first, and kills what does not listen") {
    const TemporaryFolder folder;
    GuardedChild polite(shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"), folder / "a");
    while (read_file(folder / "a").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(polite.stop(10) == 5);
    GuardedChild deaf(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"), folder / "b");
    while (read_file(folder / "b").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(deaf.stop(0.2) == 128 + SIGKILL);
}

TEST_CASE("a child does not outlive its parent, whatever ends that") {
    const TemporaryFolder folder;
    const pid_t parent = fork();
    if (parent == 0) {
        const GuardedChild child(shell("while :; do sleep 0.05; done"), folder / "log");
        write_file(folder / "pid", std::to_string(child.pid()));
        for (;;) pause();
    }
    while (!std::filesystem::exists(folder / "pid")) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const pid_t child = std::stoi(read_file(folder / "pid"));
    CHECK(kill(child, 0) == 0);
    kill(parent, SIGKILL);
    waitpid(parent, nullptr, 0);
    CHECK(is_gone(child));
}

TEST_CASE("a program that is not there is named") {
    const TemporaryFolder folder;
    CHECK_THROWS_AS(GuardedChild({folder / "none", {}, {}}, folder / "log"), FileError);
}
