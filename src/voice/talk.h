#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/conversation.h"
#include "voice/audio.h"
#include "voice/engines.h"
#include "voice/turn_taking.h"

namespace ech0 {

/// One thing that was said, and the answer. Times are seconds of what was heard (Audio::now_s).
struct TalkTurn {
    double begin_s = 0, end_s = 0;  ///< of the speech
    std::string heard;              ///< "" if it had no words
    std::string answer;             ///< all that the model wrote
    std::string said;               ///< of that, what was spoken before it was stopped
    bool barged_in = false;         ///< it was stopped by speech
    double audio_begin_s = 0, audio_end_s = 0;
    int64_t n_pieces = 0;  ///< spoken one by one
    int64_t n_tokens = 0;

    // What a person waits for, in order; each begins where the one before ends. 0 if it didn't come to that.
    double pause_s = 0;        ///< silence until an answer was prepared
    double recognize_s = 0;    ///< speech to text
    double first_piece_s = 0;  ///< the model, until the first piece to speak was there
    double synthesize_s = 0;   ///< text to speech of that piece
    double confirm_s = 0;      ///< held back until it was sure that the turn is over
    double first_audio_s = 0;  ///< all of that: from the end of speech to the answer's first sound
    double total_s = 0;        ///< from the end of speech to the end of the answer's sound
    double tokens_per_s = 0;
};

struct TalkOptions {
    TurnOptions turns;
    bool barge_in = true;  ///< listen while the answer is spoken
    bool eager = true;     ///< prepare an answer in the pause that may be the end of a turn
    /// Push-to-talk: is the key down? Then nothing else decides on turns. @param heard  what Audio::hear returned
    std::function<bool(bool heard)> key;
};

/// What happens, as it happens; called from other threads, one at a time. May be empty.
struct TalkEvents {
    std::function<void(const std::string& text)> heard;
    std::function<void(const std::string& piece)> said;
    std::function<void(const TalkTurn& turn)> done;
};

/// What of the pieces was heard until `until_s`: whole pieces, and of the last one the words that fit.
struct SpokenPiece {
    std::string text;
    Playback when;
};
std::string heard_until(const std::vector<SpokenPiece>& pieces, double until_s);

/// Listen and answer until the sound ends.
/// @return all turns, those without words too
/// @throws Interrupted; whatever the engines throw
std::vector<TalkTurn> talk(Audio& audio, Voice& voice, Conversation& conversation, const TalkOptions& options,
                           const TalkEvents& events = {});

}  // namespace ech0
