#include "cli/progress.h"

#include <doctest/doctest.h>

using namespace ech0;

namespace {

// A progress line with a clock that the test turns and a stream that it reads.
struct Stage {
    double now = 0;
    std::string written;
    ProgressLine line;

    explicit Stage(bool moving)
        : line(
              moving, [this] { return now; }, [this](std::string_view text) { written += text; }) {}

    std::string at(double seconds, int64_t done, int64_t total, std::string_view stage = "layer") {
        now = seconds;
        written.clear();
        line.callback()(stage, done, total);
        return written;
    }
};

}  // namespace

TEST_CASE("rate and time left are shown only after two seconds") {
    CHECK(progress_text("layer", 3, 30, 1.9) == "layer 3/30");
    CHECK(progress_text("layer", 3, 30, 2.0) == "layer 3/30, 1.5/s, 18 s left");
    CHECK(progress_text("layer", 30, 30, 20) == "layer 30/30, 1.5/s");
    CHECK(progress_text("layer", 0, 30, 20) == "layer 0/30");
    CHECK(progress_text("layer", 2, 30, 60) == "layer 2/30, 30 s each, 14 min 0 s left");
}

TEST_CASE("large counts are shown as a share and unknown totals as a count") {
    CHECK(progress_text("hash", 50'000'000, 200'000'000, 1) == "hash 25 %");
    CHECK(progress_text("hash", 50'000'000, 200'000'000, 5) == "hash 25 %, 10.0 MB/s, 15 s left");
    CHECK(progress_text("fetch", 50'000'000, 200'000'000, 5, 40'000'000) == "fetch 25 %, 2.0 MB/s, 1 min 15 s left");
    CHECK(progress_text("read", 12, 0, 1) == "read 12");
}

TEST_CASE("on a terminal one line moves, at most ten times a second, and is gone at the end") {
    Stage stage(true);
    CHECK(stage.at(0.00, 1, 30) == "\r\x1b[Klayer 1/30");
    CHECK(stage.at(0.05, 2, 30) == "");
    CHECK(stage.at(0.15, 3, 30) == "\r\x1b[Klayer 3/30");
    CHECK(stage.at(0.16, 30, 30) == "\r\x1b[Klayer 30/30");
    CHECK(stage.at(0.17, 1, 9, "write") == "\r\x1b[Kwrite 1/9");
    std::string last;
    {
        ProgressLine line(
            true, [] { return 0.0; }, [&](std::string_view text) { last = text; });
        line.callback()("layer", 1, 2);
    }
    CHECK(last == "\r\x1b[K");
}

TEST_CASE("elsewhere a short stage is silent and a long one has a plain line now and then") {
    Stage stage(false);
    CHECK(stage.at(100.0, 1, 30) == "");
    CHECK(stage.at(101.9, 2, 30) == "");
    CHECK(stage.at(102.5, 5, 30) == "layer 5/30, 2.0/s, 13 s left\n");
    CHECK(stage.at(105.0, 10, 30) == "");
    CHECK(stage.at(113.0, 26, 30) == "layer 26/30, 2.0/s, 2.0 s left\n");
    CHECK(stage.at(115.0, 30, 30) == "layer 30/30, 2.0/s\n");
    CHECK(stage.at(115.5, 1, 30, "write") == "");
    CHECK(stage.at(116.0, 30, 30, "write") == "");
}
