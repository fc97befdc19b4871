#include "voice/turn_taking.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

namespace {

constexpr double window_s = 0.032;

// What a script of windows gives, as "time event": S is speech, anything else silence, a capital letter A begins an
// answer of the model, Z ends it.
std::vector<std::string> events(const std::string& script, TurnOptions options = {}) {
    static const char* const names[] = {"", "started", "barged in", "paused", "resumed", "ended"};
    TurnTaking turns(options);
    std::vector<std::string> found;
    bool answering = false;
    int64_t n = 0;
    for (const char c : script) {
        if (c == 'A' || c == 'Z') {
            answering = c == 'A';
            continue;
        }
        const TurnEvent event = turns.hear(c == 'S', window_s, answering);
        n++;
        if (event != TurnEvent::nothing) found.push_back(std::to_string(n) + " " + names[static_cast<int>(event)]);
    }
    return found;
}

std::string times(int n, char c) { return std::string(static_cast<size_t>(n), c); }

using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("a turn begins with a tenth of a second of speech and ends with half a second of silence") {
    // 0.1 s are 4 windows of 32 ms, 0.5 s are 16.
    CHECK(events(times(10, '.') + times(20, 'S') + times(40, '.')) == Events{"14 started", "32 paused", "46 ended"});
}

TEST_CASE("clicks begin nothing") {
    CHECK(events(times(5, '.') + "SS" + times(20, '.') + "SSS" + times(20, '.')).empty());
    std::string ticking;
    for (int i = 0; i < 100; i++) ticking += "S......";
    CHECK(events(ticking).empty());
}

TEST_CASE("a detector that blinks within a word breaks no run of speech") {
    CHECK(events("SS.S..SS" + times(40, '.')) == Events{"7 started", "10 paused", "24 ended"});
}

TEST_CASE("speech after a pause goes on with the turn") {
    CHECK(events(times(10, 'S') + times(10, '.') + times(10, 'S') + times(30, '.')) ==
          Events{"4 started", "12 paused", "21 resumed", "32 paused", "46 ended"});
}

TEST_CASE("300 ms of speech stop an answer, and less doesn't") {
    CHECK(events("A" + times(9, 'S') + times(20, '.') + times(10, 'S')) == Events{"39 barged in"});
    CHECK(events("A" + times(9, 'S') + times(10, '.')).empty());
    CHECK(events("A" + times(20, 'S') + times(20, '.')) == Events{"10 barged in", "22 paused", "36 ended"});
}

TEST_CASE("speech that began under an answer is a turn as soon as the answer is over") {
    CHECK(events("A" + times(6, 'S') + "Z" + times(6, 'S') + times(20, '.')) ==
          Events{"7 started", "14 paused", "28 ended"});
}

TEST_CASE("how long speech must be to stop an answer can be chosen") {
    TurnOptions slow;
    slow.barge_in_s = 1;
    CHECK(events("A" + times(31, 'S') + times(5, '.'), slow).empty());
    CHECK(events("A" + times(32, 'S'), slow) == Events{"32 barged in"});
}

TEST_CASE("a turn without an end is cut before it is too long for a recognizer") {
    TurnOptions options;
    options.most_s = 2;
    CHECK(events(times(130, 'S'), options) ==
          Events{"4 started", "63 ended", "67 started", "126 ended", "130 started"});
}

TEST_CASE("a turn's times are those of its first and last speech") {
    TurnTaking turns({});
    for (int i = 0; i < 100; i++) turns.hear(i >= 20 && i < 50, window_s, false);
    CHECK(turns.begin_s() == doctest::Approx(20 * window_s));
    CHECK(turns.end_s() == doctest::Approx(50 * window_s));
    CHECK(turns.now_s() == doctest::Approx(100 * window_s));
    CHECK(!turns.in_turn());
}

TEST_CASE("times that can't be meant are refused") {
    TurnOptions options;
    options.barge_in_s = 0;
    CHECK_THROWS_WITH_AS(check(options), "--barge-in is 0 s, wanted 0.05 to 10", UsageError);
    options = {};
    options.end_s = -1;
    CHECK_THROWS_WITH_AS(check(options), "--end-silence is -1 s, wanted 0.1 to 10", UsageError);
}
