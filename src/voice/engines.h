#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "voice/listener.h"
#include "voice/recognizer.h"
#include "voice/speaker.h"

namespace ech0 {

/// Which engines a person wants; "auto" is the best that is installed.
struct VoiceWish {
    std::string listener = "auto";    ///< silero, level
    std::string recognizer = "auto";  ///< moonshine, moonshine-tiny, whisper, whisper.cpp
    std::string speaker = "auto";     ///< piper, espeak, say
    std::string voice;                ///< a Piper voice's .onnx, or a name of espeak's or say's; "" = the usual one
    int n_threads = 0;                ///< 0: as many as there are idle cores, at most four
};

/// An engine that there is, or why there is none.
struct VoiceEngine {
    std::string role;  ///< "listener", "recognizer", "speaker"
    std::string name;  ///< as VoiceWish has it
    std::string what;  ///< in words
    std::string path;  ///< of its model or program
    bool available = false;
    std::string remedy;  ///< how to get it, if it isn't there
};

/// All that ech0 knows, best first in each role, looked for in the folder of the voice, in Debian's and Homebrew's, and
/// on PATH. Loads nothing.
std::vector<VoiceEngine> voice_engines();

struct Voice {
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Recognizer> recognizer;
    std::unique_ptr<Speaker> speaker;
};

/// Load what is wanted.
/// @throws UsageError if there is none, with the way to get one; as the engines' own errors
Voice load_voice(const VoiceWish& wish);
std::unique_ptr<Recognizer> load_recognizer(const VoiceWish& wish);
std::unique_ptr<Speaker> load_speaker(const VoiceWish& wish);
std::unique_ptr<Listener> load_listener(const VoiceWish& wish);

}  // namespace ech0
