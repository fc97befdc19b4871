#include "cli/progress.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "ech0/units.h"

namespace ech0 {
namespace {

constexpr double quiet_s = 2;        // a stage shorter than this has no rate
constexpr double redraw_s = 0.1;     // of a moving line
constexpr double plain_line_s = 10;  // between two plain lines of one stage
constexpr int64_t most_counted = 10'000;
constexpr int64_t least_bytes = 1'000'000;  // of nothing but bytes are there so many

bool stderr_moves() {
    const char* const term = std::getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void write_stderr(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

}  // namespace

std::string progress_text(std::string_view stage, int64_t done, int64_t total, double seconds, int64_t first) {
    const bool counted = total <= most_counted;
    std::string text(stage);
    if (total > 0 && counted) text += fmt::format(" {}/{}", done, total);
    if (total > 0 && !counted)
        text += fmt::format(" {:.0f} %", 100.0 * static_cast<double>(done) / static_cast<double>(total));
    if (total <= 0 && done > 0) text += fmt::format(" {}", done);
    if (seconds < quiet_s || done <= first) return text;
    const double per_s = static_cast<double>(done - first) / seconds;
    if (total >= least_bytes) text += fmt::format(", {}/s", format_disk(static_cast<int64_t>(per_s)));
    if (counted)
        text += per_s >= 0.1 ? fmt::format(", {:.1f}/s", per_s) : fmt::format(", {} each", format_duration(1 / per_s));
    if (total > done) text += fmt::format(", {} left", format_duration(static_cast<double>(total - done) / per_s));
    return text;
}

ProgressLine::ProgressLine() : ProgressLine(stderr_moves(), steady_seconds, write_stderr) {}

ProgressLine::ProgressLine(bool moving, Clock clock, Write write)
    : moving_(moving), clock_(std::move(clock)), write_(std::move(write)) {}

ProgressLine::~ProgressLine() {
    if (drawn_) write_("\r\x1b[K");
}

Progress ProgressLine::callback() {
    return [this](std::string_view stage, int64_t done, int64_t total) { show(stage, done, total); };
}

// A moving line redraws ten times a second. Plain lines: none before a stage has lasted 2 s, then one every 10 s, and
// its end if it had a line before.
bool ProgressLine::is_due(double now, bool new_stage, bool finished) const {
    if (moving_) return new_stage || finished || now - last_shown_ >= redraw_s;
    if (new_stage || now - stage_start_ < quiet_s) return false;
    const bool has_line = last_shown_ > stage_start_;
    return finished ? has_line : !has_line || now - last_shown_ >= plain_line_s;
}

void ProgressLine::show(std::string_view stage, int64_t done, int64_t total) {
    const double now = clock_();
    const bool new_stage = stage != stage_;
    if (new_stage) {
        stage_ = stage;
        stage_start_ = now;
        // Bytes that an earlier run fetched say nothing of the rate; other work is reported when it is done, and
        // counts.
        stage_first_ = total >= least_bytes ? done : 0;
    }
    if (!is_due(now, new_stage, total > 0 && done >= total)) return;
    const std::string text = progress_text(stage, done, total, now - stage_start_, stage_first_);
    write_(moving_ ? "\r\x1b[K" + text : text + "\n");
    drawn_ = moving_;
    last_shown_ = now;
}

}  // namespace ech0
