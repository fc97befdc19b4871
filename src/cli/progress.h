#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "ech0/progress.h"

namespace ech0 {

/// Where a stage is, in a line without its end: "calibrate layer 12/30, 1.5/s, 12 s left". Counts above ten thousand
/// (bytes) print as a share. Rate and time left only after 2 s: before that they are guesses.
/// @param first  what was done when the stage began
std::string progress_text(std::string_view stage, int64_t done, int64_t total, double seconds, int64_t first = 0);

/// Draws a Progress: on a terminal one line that moves, elsewhere (a file, TERM=dumb) a plain line now and then.
class ProgressLine {
public:
    using Clock = std::function<double()>;  ///< seconds
    using Write = std::function<void(std::string_view)>;

    ProgressLine();  ///< on stderr
    ProgressLine(bool moving, Clock clock, Write write);
    ~ProgressLine();  ///< takes a moving line away
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    /// To hand to the library; valid as long as this object.
    Progress callback();

private:
    void show(std::string_view stage, int64_t done, int64_t total);
    bool is_due(double now, bool new_stage, bool finished) const;

    bool moving_;
    Clock clock_;
    Write write_;
    std::string stage_;
    double stage_start_ = 0, last_shown_ = 0;
    int64_t stage_first_ = 0;
    bool drawn_ = false;
};

}  // namespace ech0
