#pragma once

// A program that runs beside us until we stop it, and that does not outlive us, however we end: a server left behind by
// a killed parent would hold its gigabytes for ever. Between us and the program stands a guard, a process of ours that
// does nothing but wait for a pipe of which we hold the other end: when we are gone the system closes it, and the guard
// kills the program. On Linux the system itself is asked too (PR_SET_PDEATHSIG), for the case that the guard is killed.

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ech0 {

class GuardedChild {
public:
    struct Command {
        std::filesystem::path program;
        std::vector<std::string> arguments;
        std::vector<std::string> environment;  ///< "NAME=value", on top of ours; "NAME" alone takes it away
    };

    /// @param log  stdout and stderr go to its end
    /// @throws FileError if it can't be started
    GuardedChild(const Command& command, const std::filesystem::path& log);
    ~GuardedChild();  ///< kills it if it still runs
    GuardedChild(const GuardedChild&) = delete;
    GuardedChild& operator=(const GuardedChild&) = delete;

    pid_t pid() const { return pid_; }  ///< the program's own

    /// Its exit status (128 + number if a signal ended it); nothing while it runs.
    std::optional<int> exit_status();

    /// SIGTERM, and SIGKILL to what is still there after so many seconds. @return its exit status
    int stop(double grace_s);

private:
    pid_t pid_ = -1, guard_ = -1;
    int lifeline_ = -1;  // its other end is the guard's
    std::optional<int> status_;
};

}  // namespace ech0
