#pragma once

#include <memory>
#include <string>
#include <vector>

#include "voice/audio.h"

namespace ech0 {

struct AudioDevice {
    std::string name;
    int64_t rate = 0;  ///< its own, samples per second
    int64_t channels = 0;
    bool is_default = false;
};

struct AudioDevices {
    std::vector<AudioDevice> inputs, outputs;
    std::string problem;  ///< why there are none, with the remedy; "" if there are
};

/// Microphones and loudspeakers, as the system's sound library names them.
AudioDevices audio_devices();

/// Talk with a person at this machine.
/// @param input, output  a name, or a part of one that fits one device only; "" = the system's default
/// @throws UsageError if there is no such device or none at all, or built without a sound library; FileError if it
/// can't
///         be opened
std::unique_ptr<Audio> device_audio(const std::string& input, const std::string& output);

}  // namespace ech0
