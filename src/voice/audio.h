#pragma once

#include <span>
#include <string>

#include "voice/sound.h"

namespace ech0 {

/// When something sounds, in seconds of what has been heard.
struct Playback {
    double begin_s = 0, end_s = 0;
};

/// Where a talk's sound comes from and where it goes to. Its clock is what has been heard, so that a talk with files
/// and one with a microphone are the same to their caller.
class Audio {
public:
    virtual ~Audio() = default;

    /// The next samples at speech_rate; waits for them.
    /// @param busy  an answer is being made: time passes as it does for a person who waits
    /// @return false at the end of what there is to hear; the window is silence then
    /// @throws FileError if a device is gone
    virtual bool hear(std::span<float> window, bool busy) = 0;

    // From any thread:
    virtual double now_s() const = 0;
    virtual Playback play(const Sound& sound) = 0;  ///< behind what sounds already
    virtual void stop() = 0;                        ///< silence, at once
    virtual bool playing() const = 0;
};

}  // namespace ech0
