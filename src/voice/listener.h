#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace ech0 {

/// Samples at speech_rate that a listener judges at once: 32 ms.
constexpr size_t listener_window = 512;

/// Voice activity detection: is somebody speaking?
class Listener {
public:
    virtual ~Listener() = default;
    virtual std::string name() const = 0;
    /// @param window  listener_window samples, right behind those of the call before
    virtual bool hears_speech(std::span<const float> window) = 0;
};

/// Without a model: speech is what is louder than the quietest of the last seconds by a good margin. It takes any
/// sudden noise for speech, so it is for where nothing better is installed.
std::unique_ptr<Listener> level_listener();

}  // namespace ech0
