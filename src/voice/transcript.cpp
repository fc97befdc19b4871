#include "voice/transcript.h"

#include <algorithm>
#include <vector>

#include "base/interrupt.h"
#include "voice/turn_taking.h"

namespace ech0 {
namespace {

constexpr double window_s = static_cast<double>(listener_window) / static_cast<double>(speech_rate);

Sound cut(const Sound& sound, double begin_s, double end_s) {
    const auto at = [&](double seconds) {
        const auto sample = static_cast<std::ptrdiff_t>(std::max(0.0, seconds) * static_cast<double>(speech_rate));
        return sound.samples.begin() + std::min(sample, static_cast<std::ptrdiff_t>(sound.samples.size()));
    };
    return {speech_rate, {at(begin_s), at(end_s)}};
}

}  // namespace

std::string transcript(const Sound& sound, Listener& listener, Recognizer& recognizer) {
    std::string text;
    TurnTaking turns{TurnOptions{}};
    const auto add_turn = [&] {
        const std::string more = recognizer.transcribe(cut(sound, turns.begin_s() - lead_s, turns.end_s() + tail_s));
        if (has_words(more)) text += (text.empty() ? "" : " ") + more;
    };
    std::vector<float> window(listener_window);
    for (size_t at = 0; at < sound.samples.size(); at += window.size()) {
        check_interrupt();
        const size_t n = std::min(window.size(), sound.samples.size() - at);
        std::copy_n(sound.samples.begin() + static_cast<std::ptrdiff_t>(at), n, window.begin());
        std::fill(window.begin() + static_cast<std::ptrdiff_t>(n), window.end(), 0.0F);
        if (turns.hear(listener.hears_speech(window), window_s, false) == TurnEvent::ended) add_turn();
    }
    if (turns.in_turn()) add_turn();
    return text;
}

}  // namespace ech0
