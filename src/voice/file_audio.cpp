#include "voice/file_audio.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "voice/resampler.h"

namespace ech0 {

FileAudio::FileAudio(const Sound& input) : input_(resampled(input, speech_rate)) {}

bool FileAudio::hear(std::span<float> window, bool busy) {
    if (busy) wait_for_turn(static_cast<double>(window.size()) / static_cast<double>(speech_rate));
    was_busy_ = busy;
    const auto at = static_cast<size_t>(n_heard_.load());
    const size_t n = at < input_.samples.size() ? std::min(window.size(), input_.samples.size() - at) : 0;
    if (n > 0) std::copy_n(input_.samples.begin() + static_cast<std::ptrdiff_t>(at), n, window.begin());
    std::fill(window.begin() + static_cast<std::ptrdiff_t>(n), window.end(), 0.0F);
    n_heard_ += static_cast<int64_t>(window.size());
    return n > 0;
}

// Until so many seconds more have passed since the answer was begun.
void FileAudio::wait_for_turn(double seconds) {
    if (!was_busy_) {
        busy_since_ = std::chrono::steady_clock::now();
        busy_since_s_ = now_s();
    }
    const std::chrono::duration<double> due(now_s() - busy_since_s_ + seconds);
    std::this_thread::sleep_until(busy_since_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
}

double FileAudio::now_s() const { return static_cast<double>(n_heard_.load()) / static_cast<double>(speech_rate); }

Playback FileAudio::play(const Sound& sound) {
    const std::lock_guard lock(mutex_);
    if (output_.samples.empty()) output_.rate = sound.rate;
    const Sound& at_rate = sound.rate == output_.rate ? sound : resampled(sound, output_.rate);
    const Playback when{std::max(now_s(), queue_end_s_), std::max(now_s(), queue_end_s_) + at_rate.seconds()};
    const auto begin = static_cast<size_t>(std::llround(when.begin_s * static_cast<double>(output_.rate)));
    output_.samples.resize(std::max(output_.samples.size(), begin + at_rate.samples.size()), 0.0F);
    std::copy(at_rate.samples.begin(), at_rate.samples.end(),
              output_.samples.begin() + static_cast<std::ptrdiff_t>(begin));
    queue_end_s_ = when.end_s;
    return when;
}

void FileAudio::stop() {
    const std::lock_guard lock(mutex_);
    queue_end_s_ = std::min(queue_end_s_, now_s());
    const auto end = static_cast<size_t>(std::llround(now_s() * static_cast<double>(output_.rate)));
    if (output_.samples.size() > end) output_.samples.resize(end);
}

bool FileAudio::playing() const {
    const std::lock_guard lock(mutex_);
    return now_s() < queue_end_s_;
}

Sound FileAudio::output() const {
    const std::lock_guard lock(mutex_);
    Sound all = output_;
    const auto n = static_cast<size_t>(std::llround(now_s() * static_cast<double>(all.rate)));
    all.samples.resize(std::max(all.samples.size(), n), 0.0F);
    return all;
}

}  // namespace ech0
