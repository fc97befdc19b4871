#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voice/sound.h"

namespace ech0 {

/// Another sampling rate, piece by piece: the pieces give what the whole would give. Frequencies below 0.45 of the
/// lower rate pass (within 0.1 %), those above half of it are gone (below -70 dB).
class Resampler {
public:
    /// @throws UsageError if a rate is not positive or the two have so little in common that the table would be too
    /// large
    Resampler(int64_t from_rate, int64_t to_rate);

    /// What can be told of the output so far; it runs `half` input samples behind.
    std::vector<float> push(std::span<const float> samples);
    /// The rest, as if silence followed. All together: ceil(samples · to / from) samples.
    std::vector<float> finish();

private:
    std::vector<float> produce(int64_t n_known);

    int64_t up_ = 1, down_ = 1;   // to : from without common divisors
    int64_t half_ = 0;            // input samples that matter before and after the middle
    std::vector<float> kernel_;   // [up_][2 half_]
    std::vector<float> history_;  // input from first_ on
    int64_t first_ = 0, n_in_ = 0, n_out_ = 0;
};

/// The whole of it at once.
Sound resampled(const Sound& sound, int64_t rate);

}  // namespace ech0
