#include "support/terminal.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ech0 {
namespace {

[[noreturn]] void become(const std::vector<std::string>& command, const std::string& device) {
    setsid();
    const int terminal = open(device.c_str(), O_RDWR);
    ioctl(terminal, TIOCSCTTY, 0);  // the keys that mean signals work only on a controlling terminal
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(terminal, fd);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
}

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

Terminal::Terminal(std::vector<std::string> command, int columns) {
    fd_ = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd_ < 0 || grantpt(fd_) != 0 || unlockpt(fd_) != 0) throw std::runtime_error("no pseudo-terminal");
    fcntl(fd_, F_SETFD, FD_CLOEXEC);
    const std::string device = ptsname(fd_);
    if (columns > 0) {
        winsize size{};
        size.ws_row = 50, size.ws_col = static_cast<unsigned short>(columns);
        ioctl(fd_, TIOCSWINSZ, &size);
    }
    child_ = fork();
    if (child_ < 0) throw std::runtime_error("fork");
    if (child_ == 0) become(command, device);
}

Terminal::~Terminal() {
    if (child_ > 0) {
        ::kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
    }
    close(fd_);
}

void Terminal::type(const std::string& keys) {
    if (write(fd_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
        throw std::runtime_error("type " + keys);
}

void Terminal::kill(int signal) { ::kill(child_, signal); }

// @return false at the end: a terminal whose program is gone fails to be read
bool Terminal::take(double timeout_s) {
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(timeout_s * 1000)) <= 0) return true;
    char buffer[4096];
    const ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n > 0) screen_.append(buffer, static_cast<size_t>(n));
    return n > 0;
}

std::string Terminal::wait_for(const std::string& text, double timeout_s) {
    const double deadline = now_s() + timeout_s;
    for (bool running = true;;) {
        if (const size_t at = screen_.find(text, seen_); at != std::string::npos) {
            const size_t begin = std::exchange(seen_, at + text.size());
            return screen_.substr(begin, seen_ - begin);
        }
        if (!running || now_s() > deadline)
            throw std::runtime_error("waited for '" + text + "', saw: " + screen_.substr(seen_));
        running = take(0.1);
    }
}

int Terminal::wait_for_end() {
    for (const double deadline = now_s() + 60; take(0.1);)
        if (now_s() > deadline) throw std::runtime_error("it doesn't end: " + screen_);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace ech0
