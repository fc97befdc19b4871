#include "runtime/thoughts.h"

#include <algorithm>
#include <utility>

namespace ech0 {
namespace {

constexpr std::string_view begin_mark = "<think>", end_mark = "</think>", space = " \t\r\n";

// Length of the longest end of the text that is a beginning of the mark.
size_t open_end(std::string_view text, std::string_view mark) {
    for (size_t n = std::min(text.size(), mark.size() - 1); n > 0; n--)
        if (text.ends_with(mark.substr(0, n))) return n;
    return 0;
}

}  // namespace

// @return whether the rest can be looked at
bool ThoughtFilter::take_beginning() {
    const size_t at = std::min(held_.find_first_not_of(space), held_.size());
    const std::string_view rest = std::string_view(held_).substr(at);
    if (rest.starts_with(begin_mark)) {
        held_.erase(0, at + begin_mark.size());
        state_ = State::thinking;
        return true;
    }
    if (begin_mark.starts_with(rest)) return false;  // nothing yet, or the beginning of a mark
    state_ = State::answering;
    return true;
}

bool ThoughtFilter::take_thought(Parts& parts) {
    const size_t end = held_.find(end_mark);
    const size_t n = end != std::string::npos ? end : held_.size() - open_end(held_, end_mark);
    parts.thought += held_.substr(0, n);
    held_.erase(0, end != std::string::npos ? end + end_mark.size() : n);
    if (end == std::string::npos) return false;
    state_ = State::after;
    return true;
}

ThoughtFilter::Parts ThoughtFilter::push(std::string_view text) {
    Parts parts;
    held_ += text;
    if (state_ == State::beginning && !take_beginning()) return parts;
    if (state_ == State::thinking && !take_thought(parts)) return parts;
    if (state_ == State::after) {  // the empty lines between thoughts and answer
        held_.erase(0, std::min(held_.find_first_not_of(space), held_.size()));
        if (held_.empty()) return parts;
        state_ = State::answering;
    }
    parts.said = std::exchange(held_, "");
    return parts;
}

ThoughtFilter::Parts ThoughtFilter::finish() {
    Parts parts;
    (state_ == State::thinking ? parts.thought : parts.said) = std::exchange(held_, "");
    return parts;
}

}  // namespace ech0
