// WAV files: whatever they say, the sound is as long as the file allows, its samples are numbers, and it can be
// resampled and written again.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "ech0/error.h"
#include "voice/resampler.h"
#include "voice/wav.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    try {
        const ech0::Sound sound = ech0::parse_wav(bytes, "input");
        if (sound.samples.size() > size / 2) std::abort();
        for (const float sample : sound.samples)
            if (!std::isfinite(sample)) std::abort();
        if (ech0::parse_wav(ech0::wav_bytes(sound), "again").samples.size() != sound.samples.size()) std::abort();
        if (sound.samples.size() < 2000) ech0::resampled(sound, ech0::speech_rate);
    } catch (const ech0::Error&) {}
    return 0;
}
