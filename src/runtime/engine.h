#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ech0/error.h"

namespace ech0 {

/// Start libllama's backends and listen to its log; the first call does it, later ones return at once.
void start_engine();

/// The engine's last warning or error, in one line: libllama tells its reasons only through the process-wide log.
std::string last_engine_message();

/// Forget it, so that a later failure is not explained by an older one.
void clear_engine_message();

/// @return "cannot <doing>: <the engine's last words>"
EngineError engine_error(std::string_view doing);

/// While it lives, keeps what the engine says: some of its figures are told nowhere else. One at a time.
class EngineLog {
public:
    EngineLog();
    ~EngineLog();
    EngineLog(const EngineLog&) = delete;
    EngineLog& operator=(const EngineLog&) = delete;

    /// All lines so far, without the newline.
    std::vector<std::string> lines() const;
};

/// Seven digits of the engine's commit, as the engine or our build of it knows it, or "unknown".
std::string engine_commit();

/// Name and version of the engine, for reports: "llama.cpp 0.1.0-dev (4df29be), ggml 0.20.0".
std::string engine_description();

/// Threads to use when the caller has no wish: the cores this process may run on.
int default_threads();

/// Show the engine's own log on stderr (ECH0_ENGINE_LOG=1), for debugging.
void echo_engine_log(bool on);

}  // namespace ech0
