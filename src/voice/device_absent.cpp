#include "ech0/error.h"
#include "voice/device.h"

namespace ech0 {
namespace {

constexpr const char* problem =
    "this ech0 was built without PortAudio: 'make voice' builds it with that; --wav IN --wav-out OUT talks by files";

}  // namespace

AudioDevices audio_devices() { return {{}, {}, problem}; }

std::unique_ptr<Audio> device_audio(const std::string&, const std::string&) {
    throw UsageError(std::string("no microphone: ") + problem);
}

}  // namespace ech0
