#pragma once

#include <atomic>
#include <chrono>
#include <mutex>

#include "voice/audio.h"

namespace ech0 {

/// A talk with a file instead of a person: heard as fast as it is understood, except while an answer is being made;
/// then a second of the file takes a second. So it costs no more time than needed, and what is measured is what a
/// person would wait for.
class FileAudio : public Audio {
public:
    /// @param input  any rate; what follows it is silence
    explicit FileAudio(const Sound& input);

    bool hear(std::span<float> window, bool busy) override;
    double now_s() const override;
    Playback play(const Sound& sound) override;
    void stop() override;
    bool playing() const override;

    /// What was played, from the beginning of the input on; 16 kHz silence if nothing was.
    Sound output() const;

private:
    void wait_for_turn(double seconds);

    Sound input_;
    std::atomic<int64_t> n_heard_ = 0;
    bool was_busy_ = false;
    std::chrono::steady_clock::time_point busy_since_;
    double busy_since_s_ = 0;
    mutable std::mutex mutex_;  // of what follows
    Sound output_;
    double queue_end_s_ = 0;
};

}  // namespace ech0
