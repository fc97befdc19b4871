#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace ech0 {

/// A program at a terminal, as a person meets it: what it prints on stdout and stderr comes in one stream, what is
/// typed goes to its stdin, and Ctrl-C is a key.
class Terminal {
public:
    /// @param columns  that the terminal has; 0: it doesn't say
    /// @throws std::runtime_error if the system has no terminal to give
    explicit Terminal(std::vector<std::string> command, int columns = 0);
    ~Terminal();  // kills the program if it still runs
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    void type(const std::string& keys);  ///< "\n" is Return, "\x03" Ctrl-C, "\x04" Ctrl-D
    void kill(int signal);

    /// Wait until `text` was printed after what earlier calls waited for.
    /// @return what was printed up to there, with it; throws std::runtime_error after `timeout_s`
    std::string wait_for(const std::string& text, double timeout_s = 60);

    /// Wait for the end. @return exit status, or 128 + signal
    int wait_for_end();
    const std::string& screen() const { return screen_; }  ///< all that was printed

private:
    bool take(double timeout_s);

    int fd_ = -1;
    pid_t child_ = -1;
    std::string screen_;
    size_t seen_ = 0;
};

}  // namespace ech0
