#pragma once

#include <termios.h>

namespace ech0 {

/// The key of push-to-talk. Terminals tell that a key was pressed and not how long, so pressing space (or Enter) begins
/// and ends what is said. The terminal is as before when the object is gone.
class TalkKey {
public:
    /// @throws UsageError if stdin is no terminal
    TalkKey();
    ~TalkKey();
    TalkKey(const TalkKey&) = delete;
    TalkKey& operator=(const TalkKey&) = delete;

    /// Whether it is down now, after what was pressed since the last call.
    bool down();

private:
    termios before_{};
    bool down_ = false;
};

}  // namespace ech0
