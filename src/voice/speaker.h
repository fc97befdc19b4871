#pragma once

#include <string>

#include "voice/sound.h"

namespace ech0 {

/// Text to speech.
class Speaker {
public:
    virtual ~Speaker() = default;
    virtual std::string name() const = 0;
    /// What it speaks, as eSpeak NG names languages ("en-us"); "" if it doesn't tell.
    virtual std::string language() const { return ""; }
    /// @param sentence  plain text
    virtual Sound speak(const std::string& sentence) = 0;
};

}  // namespace ech0
