#include "voice/turn_taking.h"

#include <fmt/format.h>

#include "ech0/error.h"

namespace ech0 {
namespace {

// Detectors blink within words; a gap so short does not break a run of speech.
constexpr double blink_s = 0.1;
constexpr double rounding_s = 1e-9;

}  // namespace

void check(const TurnOptions& options) {
    const auto refuse = [](const char* option, double value, const char* wanted) {
        throw UsageError(fmt::format("{} is {} s, wanted {}", option, value, wanted));
    };
    if (!(options.barge_in_s >= 0.05 && options.barge_in_s <= 10))
        refuse("--barge-in", options.barge_in_s, "0.05 to 10");
    if (!(options.end_s >= 0.1 && options.end_s <= 10)) refuse("--end-silence", options.end_s, "0.1 to 10");
}

TurnEvent TurnTaking::hear(bool speech, double window_s, bool answering) {
    now_s_ += window_s;
    if (state_ == State::quiet) return hear_quiet(speech, window_s, answering);
    silence_s_ = speech ? 0 : silence_s_ + window_s;
    if (speech) end_s_ = now_s_;
    if (now_s_ - begin_s_ + rounding_s >= options_.most_s || silence_s_ + rounding_s >= options_.end_s) {
        state_ = State::quiet;
        speech_s_ = 0;
        return TurnEvent::ended;
    }
    if (state_ == State::pausing && speech) {
        state_ = State::speaking;
        return TurnEvent::resumed;
    }
    if (state_ == State::speaking && silence_s_ + rounding_s >= options_.pause_s) {
        state_ = State::pausing;
        return TurnEvent::paused;
    }
    return TurnEvent::nothing;
}

TurnEvent TurnTaking::hear_quiet(bool speech, double window_s, bool answering) {
    if (speech) {
        if (speech_s_ == 0) begin_s_ = now_s_ - window_s;
        speech_s_ += window_s;
        silence_s_ = 0;
        end_s_ = now_s_;
    } else if (speech_s_ > 0) {
        silence_s_ += window_s;
        if (silence_s_ > blink_s + rounding_s) speech_s_ = 0;
    }
    if (speech_s_ + rounding_s < (answering ? options_.barge_in_s : options_.start_s)) return TurnEvent::nothing;
    state_ = State::speaking;
    silence_s_ = 0;
    return answering ? TurnEvent::barged_in : TurnEvent::started;
}

}  // namespace ech0
