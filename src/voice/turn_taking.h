#pragma once

#include <cstdint>

namespace ech0 {

struct TurnOptions {
    double start_s = 0.1;     ///< so much speech is the beginning of a turn, not a click
    double barge_in_s = 0.3;  ///< so much speech stops an answer
    double pause_s = 0.06;    ///< after so much silence the turn may be over: an answer is prepared
    double end_s = 0.5;       ///< after so much silence it is over
    double most_s = 28;       ///< a longer turn is cut; recognizers take half a minute
};

/// Sound that belongs to a turn before and behind what was taken for speech: consonants begin softly.
constexpr double lead_s = 0.3, tail_s = 0.2;

/// @throws UsageError naming the option and what it may be
void check(const TurnOptions& options);

/// What a window of sound meant.
enum class TurnEvent {
    nothing,
    started,    ///< a turn began (`begin_s`)
    barged_in,  ///< likewise, while the model was answering
    paused,     ///< it may be over
    resumed,    ///< it was not
    ended       ///< it is (`end_s`)
};

/// Whose turn it is, from what the voice activity detector says of each window of sound. Nothing of it depends on
/// clocks: the same windows give the same events.
class TurnTaking {
public:
    explicit TurnTaking(const TurnOptions& options) : options_(options) {}

    /// @param answering  the model is preparing or speaking an answer: it takes more to begin a turn then
    TurnEvent hear(bool speech, double window_s, bool answering);

    bool in_turn() const { return state_ != State::quiet; }
    double now_s() const { return now_s_; }      ///< heard so far
    double begin_s() const { return begin_s_; }  ///< of the turn, or of the last one
    double end_s() const { return end_s_; }      ///< of the last speech in it

private:
    enum class State { quiet, speaking, pausing };
    TurnEvent hear_quiet(bool speech, double window_s, bool answering);

    TurnOptions options_;
    State state_ = State::quiet;
    double now_s_ = 0, begin_s_ = 0, end_s_ = 0;
    double speech_s_ = 0, silence_s_ = 0;
};

}  // namespace ech0
