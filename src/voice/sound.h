#pragma once

#include <cstdint>
#include <vector>

namespace ech0 {

/// Sound of one channel; 1 is full scale.
struct Sound {
    int64_t rate = 16000;  ///< samples per second
    std::vector<float> samples;

    double seconds() const { return static_cast<double>(samples.size()) / static_cast<double>(rate); }
};

/// What voice activity detection and speech to text take.
constexpr int64_t speech_rate = 16000;

}  // namespace ech0
