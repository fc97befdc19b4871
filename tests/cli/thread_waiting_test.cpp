#include "cli/thread_waiting.h"

#include <doctest/doctest.h>

#include "support/run.h"

using namespace ech0;

TEST_CASE("threads sleep while they wait in work by batches, spin for answers, and sleep for these on a busy machine") {
    CHECK(best_waiting("compress", 0, 2) == Waiting::asleep);
    CHECK(best_waiting("verify", 9, 2) == Waiting::asleep);
    CHECK(best_waiting("chat", 0.5, 2) == Waiting::spinning);
    CHECK(best_waiting("chat", 2.5, 2) == Waiting::asleep);
    CHECK(best_waiting("bench", 9, 2) == Waiting::spinning);
    CHECK(best_waiting("", 9, 2) == Waiting::spinning);
}

TEST_CASE("a program that replaced itself has its arguments, its exit status and its words") {
    RunOptions clean;
    for (const char* policy : {"asleep", "spinning"}) {
        clean.environment["ECH0_WAITING"] = policy;
        const Finished ran = run_ech0({"verify", "none.gguf", "no one.gguf"}, clean);
        CHECK(ran.status == 2);
        CHECK(ran.err.find("none.gguf") != std::string::npos);
    }
}
