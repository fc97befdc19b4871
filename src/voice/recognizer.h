#pragma once

#include <string>

#include "voice/sound.h"

namespace ech0 {

/// Speech to text.
class Recognizer {
public:
    virtual ~Recognizer() = default;
    virtual std::string name() const = 0;
    /// @param speech  one turn, at speech_rate
    /// @return what was said; "" if that was nothing
    virtual std::string transcribe(const Sound& speech) = 0;
};

/// Whether a transcript has a word in it. Recognizers write "[BLANK_AUDIO]", "(wind)", "..." for what is no speech.
bool has_words(const std::string& transcript);

}  // namespace ech0
