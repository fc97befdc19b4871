#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace ech0 {

/// What a finished program left: its streams apart, and its end.
struct Finished {
    int status = -1;  ///< exit status; -1 if a signal ended it
    int signal = 0;   ///< that signal, or 0
    std::string out, err;
};

struct RunOptions {
    std::map<std::string, std::string> environment = {};  ///< set on top of ours
    std::filesystem::path folder = ".";                   ///< working folder
    std::string input = {};                               ///< fed to stdin
    double timeout_s = 300;                               ///< then SIGKILL, and `signal` tells
};

/// Run a program and wait for it.
/// @throws std::runtime_error if it can't be started
Finished run(const std::vector<std::string>& command, const RunOptions& options = {});

/// The ech0 that this build made, with these arguments.
Finished run_ech0(std::vector<std::string> arguments, const RunOptions& options = {});

/// Where that ech0 is, for a command line of another program's.
std::string run_ech0_path();

/// Lines of a text, counting an unfinished last one.
int64_t count_lines(const std::string& text);

}  // namespace ech0
