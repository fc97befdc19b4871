#include "cli/line_reader.h"

#include <cerrno>
#include <system_error>

#include <sys/select.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "ech0/error.h"

namespace ech0 {

std::optional<std::string> LineReader::next() {
    size_t end = typed_.find('\n');
    while (end == std::string::npos && !ended_) {
        if (!read_more()) continue;
        end = typed_.find('\n');
    }
    if (end == std::string::npos && typed_.empty()) return std::nullopt;
    std::string line = typed_.substr(0, end);
    typed_.erase(0, end == std::string::npos ? end : end + 1);
    return line;
}

// select, for poll knows no terminals on macOS. It looks up now and then, because a signal may have come just before it
// began to wait, or to another thread.
bool LineReader::read_more() {
    fd_set ready;
    FD_ZERO(&ready);
    FD_SET(fd_, &ready);
    timeval look_up{0, 200'000};
    const int n_ready = select(fd_ + 1, &ready, nullptr, nullptr, &look_up);
    if (interrupted()) {
        typed_.clear();
        throw Interrupted();
    }
    if (n_ready <= 0) return false;
    char buffer[4096];
    const ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n < 0 && errno != EINTR)
        throw FileError(fmt::format("read the terminal: {}", std::generic_category().message(errno)));
    if (n > 0) typed_.append(buffer, static_cast<size_t>(n));
    ended_ = n == 0;
    return n > 0;
}

}  // namespace ech0
