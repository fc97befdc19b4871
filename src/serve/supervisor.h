#pragma once

// Keeps a server running: waits until it is healthy, starts it again when it ends, each time after a longer pause, and
// stops it in order.

#include <filesystem>
#include <functional>
#include <string>

#include "serve/guarded_child.h"

namespace ech0 {

struct Watched {
    GuardedChild::Command command;
    std::string host;  ///< that /health is asked at
    int64_t port = 0;
    std::filesystem::path log;                           ///< begun anew when it has 16 MiB
    std::vector<std::filesystem::path> files;            ///< without which no start is tried
    double first_pause_s = 0.5;                          ///< before the server is started again; then twice as long
    std::function<void(pid_t)> on_ready;                 ///< after every start
    std::function<void(const std::string&)> on_trouble;  ///< the server ended: why, and what is done
};

/// Until a signal comes, or the server can't be kept running.
/// @throws EngineError with the server's last words if it gives up before it was ever ready, is killed so five times,
/// or ends ten times without having been ready for a minute; FileError if a file is gone
void supervise(const Watched& watched);

/// The last line of a log that says why a server ended; "" if there is none.
std::string last_error_line(const std::filesystem::path& log);

}  // namespace ech0
