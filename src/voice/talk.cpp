#include "voice/talk.h"

#include <algorithm>

#include "base/interrupt.h"
#include "voice/answerer.h"

namespace ech0 {
namespace {

constexpr double window_s = static_cast<double>(listener_window) / static_cast<double>(speech_rate);

/// The last half minute of what was heard.
class Memory {
public:
    explicit Memory(double seconds) : most_(samples(seconds)) {}

    void add(std::span<const float> window) {
        heard_.insert(heard_.end(), window.begin(), window.end());
        n_heard_ += window.size();
        if (heard_.size() > 2 * most_) heard_.erase(heard_.begin(), heard_.end() - static_cast<std::ptrdiff_t>(most_));
    }

    Sound between(double begin_s, double end_s) const {
        const size_t first = n_heard_ - heard_.size();
        const size_t begin = std::clamp(samples(begin_s), first, n_heard_),
                     end = std::clamp(samples(end_s), begin, n_heard_);
        const auto at = [&](size_t sample) { return heard_.begin() + static_cast<std::ptrdiff_t>(sample - first); };
        return {speech_rate, {at(begin), at(end)}};
    }

private:
    static size_t samples(double seconds) {
        return static_cast<size_t>(std::max(0.0, seconds) * static_cast<double>(speech_rate) + 0.5);
    }

    size_t most_, n_heard_ = 0;
    std::vector<float> heard_;
};

// With a key, pressing it is what begins a turn, and releasing it what ends one.
TurnOptions by_key(TurnOptions turns) {
    turns.start_s = turns.barge_in_s = turns.pause_s = turns.end_s = window_s;
    return turns;
}

class Talk {
public:
    Talk(Audio& audio, Voice& voice, Conversation& conversation, const TalkOptions& options, const TalkEvents& events)
        : audio_(audio),
          listener_(*voice.listener),
          options_(options),
          turns_(options.key ? by_key(options.turns) : options.turns),
          memory_(options.turns.most_s + 2),
          answerer_(audio, *voice.recognizer, *voice.speaker, conversation, events) {}

    std::vector<TalkTurn> run() {
        std::vector<float> window(listener_window);
        for (;;) {
            check_interrupt();
            answerer_.rethrow();
            const bool heard = audio_.hear(window, answerer_.making());
            memory_.add(window);
            const bool speech = options_.key ? options_.key(heard) : listener_.hears_speech(window);
            const bool answering = answerer_.answering();
            const bool deaf = answering && !options_.barge_in && !turns_.in_turn();
            take(turns_.hear(speech && !deaf, window_s, answering && !prepared_));
            if (!heard && !speech && !turns_.in_turn() && !answerer_.answering()) break;
        }
        answerer_.rethrow();
        return answerer_.turns();
    }

private:
    void take(TurnEvent event) {
        switch (event) {
            case TurnEvent::nothing:
            case TurnEvent::started: break;
            case TurnEvent::barged_in: answerer_.stop(); break;
            case TurnEvent::paused:
                if (options_.eager) prepare();
                break;
            case TurnEvent::resumed:
                if (prepared_) answerer_.drop();
                prepared_ = false;
                break;
            case TurnEvent::ended:
                if (!prepared_) prepare();
                answerer_.confirm();
                prepared_ = false;
                break;
        }
    }

    void prepare() {
        prepared_ = true;
        const double begin_s = turns_.begin_s() - lead_s, end_s = turns_.end_s() + tail_s;
        answerer_.prepare(memory_.between(begin_s, end_s), turns_.begin_s(), turns_.end_s(),
                          turns_.now_s() - turns_.end_s());
    }

    Audio& audio_;
    Listener& listener_;
    const TalkOptions& options_;
    TurnTaking turns_;
    Memory memory_;
    bool prepared_ = false;  // for the turn that goes on
    Answerer answerer_;      // last: its threads end first
};

}  // namespace

std::vector<TalkTurn> talk(Audio& audio, Voice& voice, Conversation& conversation, const TalkOptions& options,
                           const TalkEvents& events) {
    check(options.turns);
    return Talk(audio, voice, conversation, options, events).run();
}

}  // namespace ech0
