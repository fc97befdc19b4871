// Between samples a band-limited sound is a sum of sinc functions, one per sample. Output sample n lies at input
// position n·from/to; its value is the input around it weighted by a sinc that lets half of the lower rate pass, cut
// off by a window (Kaiser's) so that the sum is short. With to/from = up/down in lowest terms only `up` different
// positions between two input samples occur, so the weights are a table. Source: J. O. Smith, "Digital Audio
// Resampling", https://ccrma.stanford.edu/~jos/resample/.

#include "voice/resampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr double transition = 0.05;  // of the lower rate, between what passes and what is gone
constexpr double beta = 7.5;         // Kaiser's, about -75 dB
constexpr int64_t half_crossings = 48;
constexpr int64_t most_weights = 1 << 24;

double bessel_i0(double x) {  // its series; 30 terms are exact to double for x < 10
    double term = 1, sum = 1;
    for (int k = 1; k <= 30; k++) {
        term *= (x / (2 * k)) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

double sinc(double x) { return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

}  // namespace

Resampler::Resampler(int64_t from_rate, int64_t to_rate) {
    if (from_rate <= 0 || to_rate <= 0)
        throw UsageError(fmt::format("a sampling rate of {} to {}, wanted two above 0", from_rate, to_rate));
    const int64_t common = std::gcd(from_rate, to_rate);
    up_ = to_rate / common, down_ = from_rate / common;
    const double lower = std::min(1.0, static_cast<double>(up_) / static_cast<double>(down_));  // of the input's rate
    half_ = static_cast<int64_t>(std::ceil(static_cast<double>(half_crossings) / lower));
    if (up_ == down_) half_ = 1;
    if (up_ * 2 * half_ > most_weights)
        throw UsageError(fmt::format("no way from {} to {} samples per second: they have no large common divisor",
                                     from_rate, to_rate));
    const double cutoff = lower * (1 - transition);  // sinc's zeros are 1/cutoff apart
    kernel_.resize(static_cast<size_t>(up_ * 2 * half_));
    for (int64_t phase = 0; phase < up_; phase++) {
        const double offset = static_cast<double>(phase) / static_cast<double>(up_);
        double sum = 0;
        std::vector<double> weights(static_cast<size_t>(2 * half_));
        for (int64_t k = 0; k < 2 * half_; k++) {
            const double x = static_cast<double>(k - half_ + 1) - offset;  // of this input sample from the middle
            const double edge = x / static_cast<double>(half_);
            const double window =
                std::abs(edge) < 1 ? bessel_i0(beta * std::sqrt(1 - edge * edge)) / bessel_i0(beta) : 0;
            weights[static_cast<size_t>(k)] = sinc(x * cutoff) * window;
            sum += weights[static_cast<size_t>(k)];
        }
        for (int64_t k = 0; k < 2 * half_; k++)
            kernel_[static_cast<size_t>(phase * 2 * half_ + k)] =
                static_cast<float>(weights[static_cast<size_t>(k)] / sum);
    }
    history_.assign(static_cast<size_t>(half_), 0.0F);  // silence before the beginning
    first_ = -half_;
}

std::vector<float> Resampler::push(std::span<const float> samples) {
    history_.insert(history_.end(), samples.begin(), samples.end());
    n_in_ += static_cast<int64_t>(samples.size());
    // Output n needs input up to floor(n·down/up) + half.
    return produce(n_in_ - half_);
}

std::vector<float> Resampler::finish() {
    history_.insert(history_.end(), static_cast<size_t>(half_ + 1), 0.0F);
    return produce(n_in_);
}

// All outputs whose middle lies before input sample `n_known`.
std::vector<float> Resampler::produce(int64_t n_known) {
    std::vector<float> out;
    for (; n_out_ * down_ < n_known * up_; n_out_++) {
        const int64_t middle = n_out_ * down_ / up_, phase = n_out_ * down_ % up_;
        const float* const weights = kernel_.data() + phase * 2 * half_;
        const float* const input = history_.data() + (middle - half_ + 1 - first_);
        float sum = 0;
        for (int64_t k = 0; k < 2 * half_; k++) sum += weights[k] * input[k];
        out.push_back(sum);
    }
    const int64_t needed = n_out_ * down_ / up_ - half_;  // all before is done with
    if (needed > first_ + 65536) {
        history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(needed - first_));
        first_ = needed;
    }
    return out;
}

Sound resampled(const Sound& sound, int64_t rate) {
    if (sound.rate == rate) return sound;
    Resampler resampler(sound.rate, rate);
    Sound out{rate, resampler.push(sound.samples)};
    const std::vector<float> rest = resampler.finish();
    out.samples.insert(out.samples.end(), rest.begin(), rest.end());
    return out;
}

}  // namespace ech0
