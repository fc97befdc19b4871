#include "runtime/engine.h"

#include <fmt/format.h>
#include <ggml.h>
#include <llama.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace ech0 {
namespace {

// The log hook is process-wide in libllama, so its memory is too.
std::mutex log_mutex;
std::string log_last;
std::string log_line;  // a message may arrive in pieces (GGML_LOG_LEVEL_CONT)
bool log_echo = false;
ggml_log_level log_level = GGML_LOG_LEVEL_NONE;
bool log_kept = false;  // an EngineLog is listening
std::string log_text;   // what it has heard

void on_log(ggml_log_level level, const char* text, void*) {
    const std::lock_guard lock(log_mutex);
    if (log_echo) std::fputs(text, stderr);
    if (log_kept) log_text += text;
    if (level != GGML_LOG_LEVEL_CONT) {
        log_level = level;
        log_line.clear();
    }
    log_line += text;
    if (log_level < GGML_LOG_LEVEL_WARN || log_line.empty() || log_line.back() != '\n') return;
    log_line.pop_back();
    // These repeat what we say ourselves; the line before carries the reason.
    const bool repeats = log_line.ends_with("failed to load model") || log_line.starts_with("Failed to connect to ");
    if (!repeats) log_last = log_line;
    log_line.clear();
}

}  // namespace

void start_engine() {
    static std::once_flag once;
    std::call_once(once, [] {
        log_echo = log_echo || std::getenv("ECH0_ENGINE_LOG") != nullptr;
        llama_log_set(on_log, nullptr);
        ggml_log_set(on_log, nullptr);
        llama_backend_init();
    });
}

std::string last_engine_message() {
    const std::lock_guard lock(log_mutex);
    return log_last.empty() ? "the engine gave no reason" : log_last;
}

void clear_engine_message() {
    const std::lock_guard lock(log_mutex);
    log_last.clear();
}

EngineError engine_error(std::string_view doing) {
    return EngineError(fmt::format("cannot {}: {}", doing, last_engine_message()));
}

EngineLog::EngineLog() {
    start_engine();
    const std::lock_guard lock(log_mutex);
    assert(!log_kept);
    log_kept = true;
    log_text.clear();
}

EngineLog::~EngineLog() {
    const std::lock_guard lock(log_mutex);
    log_kept = false;
    log_text.clear();
}

std::vector<std::string> EngineLog::lines() const {
    const std::lock_guard lock(log_mutex);
    std::vector<std::string> lines;
    std::istringstream text(log_text);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
}

std::string engine_commit() {
    const std::string own = ggml_commit();
    return own == "unknown" ? ECH0_ENGINE_COMMIT : own;
}

std::string engine_description() {
    return fmt::format("llama.cpp {} ({}), ggml {}", llama_version(), engine_commit(), ggml_version());
}

int default_threads() {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

void echo_engine_log(bool on) { log_echo = on; }

}  // namespace ech0
