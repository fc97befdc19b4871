#include <algorithm>
#include <cmath>
#include <deque>

#include "voice/listener.h"

namespace ech0 {
namespace {

constexpr double margin = 4;            // times the floor's amplitude: 12 dB
constexpr double least_level = 0.003;   // -50 dB of full scale; what is quieter is nobody
constexpr size_t memory_windows = 125;  // 4 s
constexpr size_t hangover_windows = 6;  // consonants are quiet

class LevelListener : public Listener {
public:
    std::string name() const override { return "level"; }

    bool hears_speech(std::span<const float> window) override {
        double sum = 0;
        for (const float sample : window) sum += static_cast<double>(sample) * sample;
        const double level = std::sqrt(sum / static_cast<double>(std::max<size_t>(window.size(), 1)));
        levels_.push_back(level);
        if (levels_.size() > memory_windows) levels_.pop_front();
        const double floor = *std::min_element(levels_.begin(), levels_.end());
        hangover_ =
            level > std::max(least_level, margin * floor) ? hangover_windows : hangover_ - (hangover_ > 0 ? 1 : 0);
        return hangover_ > 0;
    }

private:
    std::deque<double> levels_;
    size_t hangover_ = 0;
};

}  // namespace

std::unique_ptr<Listener> level_listener() { return std::make_unique<LevelListener>(); }

}  // namespace ech0
