#pragma once

#include <filesystem>
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

}  // namespace ech0
