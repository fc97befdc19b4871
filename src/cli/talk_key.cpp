#include "cli/talk_key.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include <fmt/format.h>

#include "ech0/error.h"

namespace ech0 {

TalkKey::TalkKey() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0)
        throw UsageError("--push-to-talk needs a terminal on stdin, where space can be pressed");
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // Ctrl-C stays a signal
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

TalkKey::~TalkKey() { tcsetattr(STDIN_FILENO, TCSANOW, &before_); }

bool TalkKey::down() {
    pollfd keys{STDIN_FILENO, POLLIN, 0};
    std::array<char, 64> pressed{};
    while (poll(&keys, 1, 0) == 1 && (keys.revents & POLLIN) != 0) {
        const ssize_t n = read(STDIN_FILENO, pressed.data(), pressed.size());
        if (n <= 0) break;
        for (ssize_t i = 0; i < n; i++) {
            if (pressed[static_cast<size_t>(i)] != ' ' && pressed[static_cast<size_t>(i)] != '\n') continue;
            down_ = !down_;
            fmt::print(stderr, "{}\n", down_ ? "[listening]" : "[heard]");
        }
    }
    return down_;
}

}  // namespace ech0
