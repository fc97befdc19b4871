// Calls of the system that fail in the middle of a run (tests/support/faults.cpp). Each kind of call is failed at some
// of its points, spread over the run; ECH0_FAULT_POINTS=N tries N of each kind (make soak), all if there are no more.

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <sstream>

#include "base/sha256.h"
#include "support/tiny_compress.h"

#ifdef ECH0_FAULTS

namespace ech0 {
namespace {

using Counts = std::map<std::string, int64_t>;

struct Trial {
    const TinyCompress here{{.n_layer = 1, .n_embd = 256, .n_embd_head = 64, .n_ff = 256}};
    std::string original_sha256, expected_sha256;
    Counts counts;

    Finished compress(const std::string& fault = "", const std::string& counts_file = "") const {
        RunOptions options = here.here;
        options.environment["LD_PRELOAD"] = ECH0_FAULTS;
        if (!fault.empty()) options.environment["ECH0_FAULT"] = fault;
        if (!counts_file.empty()) options.environment["ECH0_FAULT_COUNTS"] = counts_file;
        return run_ech0(here.compress("450kB", {"--no-proof", "--effort", "1"}), options);
    }
    std::filesystem::path target() const { return here.folder / "out.gguf"; }

    Trial() {
        original_sha256 = sha256_of_file(here.folder / "tiny.gguf");
        const std::string file = (here.folder / "counts").string();
        const Finished run = compress("", file);
        REQUIRE_MESSAGE(run.status == 0, run.err);
        expected_sha256 = sha256_of_file(target());
        std::istringstream lines(read_file(file));
        std::string kind;
        for (int64_t n = 0; lines >> kind >> n;) counts[kind] = n;
    }

    void forget() const {
        std::filesystem::remove(target());
        std::filesystem::remove_all(here.folder / "cache");
    }
};

/// About so many points of a run that has n of them, the first and the last among them.
std::vector<int64_t> points(int64_t n) {
    const char* const wish = std::getenv("ECH0_FAULT_POINTS");
    const int64_t wanted = std::min<int64_t>(n, wish != nullptr ? std::atoll(wish) : 3);
    std::vector<int64_t> some;
    for (int64_t i = 0; i < wanted; i++) some.push_back(wanted == 1 ? 0 : i * (n - 1) / (wanted - 1));
    return some;
}

/// What must hold after any fault; then an undisturbed run finishes what this one began.
void check_nothing_lost(const Trial& trial, const Finished& run) {
    CHECK(sha256_of_file(trial.here.folder / "tiny.gguf") == trial.original_sha256);
    if (std::filesystem::exists(trial.target())) CHECK(sha256_of_file(trial.target()) == trial.expected_sha256);
    if (run.status == 0) CHECK(std::filesystem::exists(trial.target()));
    const Finished again = trial.compress();
    CHECK_MESSAGE(again.status == 0, again.err);
    CHECK(sha256_of_file(trial.target()) == trial.expected_sha256);
}

void fail_at_points(const Trial& trial, const std::string& kind, const std::vector<std::string>& ways, bool noticed) {
    REQUIRE(trial.counts.at(kind) > 0);
    for (const int64_t point : points(trial.counts.at(kind)))
        for (const std::string& way : ways) {
            const std::string fault = kind + ":" + std::to_string(point) + ":" + way;
            CAPTURE(fault);
            trial.forget();
            const Finished run = trial.compress(fault);
            CAPTURE(run.err);
            CHECK(run.signal == (way == "kill" ? SIGKILL : 0));
            if (!noticed) CHECK(run.status == 0);
            if (run.status > 0) CHECK(run.err.find("ech0: ") != std::string::npos);
            check_nothing_lost(trial, run);
        }
}

}  // namespace

TEST_CASE("a write that is cut short or interrupted is taken up again, and the file is the same") {
    fail_at_points(Trial(), "write", {"short", "EINTR"}, false);
}

TEST_CASE("a write, sync or rename that fails, or a kill there, loses nothing, and the next run gives the same bytes") {
    const Trial trial;
    fail_at_points(trial, "write", {"ENOSPC", "EIO", "kill"}, true);
    fail_at_points(trial, "sync", {"EIO", "kill"}, true);
    fail_at_points(trial, "rename", {"EIO", "kill"}, true);
}

TEST_CASE("memory or a map that is not given loses nothing, and the next run gives the same bytes") {
    const Trial trial;
    fail_at_points(trial, "map", {"ENOMEM"}, true);
    fail_at_points(trial, "allocate", {"ENOMEM"}, true);
}

}  // namespace ech0

#endif
