#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ech0 {

/// What a program that ran to its end said.
struct ChildResult {
    int exit_status = 0;         ///< 128 + number if a signal ended it, as a shell counts
    std::string output, errors;  ///< stdout and stderr
};

/// Run a program without a shell, its stdin empty, and wait for it. Ctrl-C ends it too.
/// @param limit_s  kill it after so many seconds: its exit status is then that of SIGKILL; 0 = wait for ever
/// @throws FileError if it can't be started; Interrupted
ChildResult run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                      double limit_s = 0);

/// Start a program without a shell in a session of its own, with no stream of ours, and leave it to run when we end.
/// @param patience_s  wait so long for it to end by itself
/// @return its exit status if it did
/// @throws FileError if it can't be started; Interrupted
std::optional<int> start_and_leave(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                                   double patience_s);

}  // namespace ech0
