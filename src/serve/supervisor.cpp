#include "serve/supervisor.h"

#include <fmt/format.h>
#define CPPHTTPLIB_OPENSSL_SUPPORT  // as the library was built: its types depend on it
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double longest_pause_s = 30, steady_s = 60, silent_s = 60, grace_s = 10;
constexpr int most_restarts = 10, most_early_kills = 5;
constexpr uintmax_t longest_log = 16 << 20;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// In small pieces, so that a signal is noticed.
void pause(double seconds) {
    for (const Clock::time_point start = Clock::now(); seconds_since(start) < seconds && !interrupted();)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

bool is_healthy(const Watched& watched) {
    httplib::Client client(watched.host, static_cast<int>(watched.port));
    client.set_connection_timeout(1);
    client.set_read_timeout(5);
    const httplib::Result answer = client.Get("/health");
    return answer && answer->status == 200;
}

std::string ending_of(int status) {
    return status > 128 ? fmt::format("was ended by signal {}", status - 128) : fmt::format("ended with {}", status);
}

enum class End { asked, ended, hung };

struct Run {
    End end = End::asked;
    int status = 0;
    double ready_s = 0;  // how long it was; 0: it never became so
};

Run run_once(const Watched& watched) {
    GuardedChild child(watched.command, watched.log);
    Clock::time_point ready{}, heard = Clock::now();
    bool is_ready = false;
    for (;;) {
        if (interrupted()) return {End::asked, child.stop(grace_s), is_ready ? seconds_since(ready) : 0};
        if (const std::optional<int> status = child.exit_status())
            return {End::ended, *status, is_ready ? std::max(seconds_since(ready), 1e-3) : 0};
        if (is_healthy(watched)) {
            heard = Clock::now();
            if (!is_ready) {
                is_ready = true;
                ready = heard;
                watched.on_ready(child.pid());
            }
        }
        if (is_ready && seconds_since(heard) > silent_s) return {End::hung, child.stop(0), seconds_since(ready)};
        for (int i = 0; i < (is_ready ? 50 : 5) && !interrupted() && !child.exit_status(); i++)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

void check_files(const Watched& watched) {
    std::error_code failure;
    for (const std::filesystem::path& file : watched.files)
        if (!std::filesystem::exists(file, failure))
            throw FileError(
                fmt::format("{} is gone: put it back, or serve another model", printable(file.string(), 400)));
}

// Somebody, or a system without memory, ended it; the server itself had nothing against going on.
bool was_killed(int status) { return status == 128 + SIGKILL || status == 128 + SIGTERM || status == 128 + SIGINT; }

std::string why(const Watched& watched, const Run& run) {
    const std::string words = last_error_line(watched.log);
    return fmt::format("the server {}{}", run.end == End::hung ? "did not answer for a minute" : ending_of(run.status),
                       words.empty() ? "" : " (" + words + ")");
}

}  // namespace

std::string last_error_line(const std::filesystem::path& log) {
    std::error_code failure;
    if (!std::filesystem::exists(log, failure) || std::filesystem::file_size(log, failure) == 0) return "";
    std::istringstream lines(read_file(log));
    std::string found;
    for (std::string line; std::getline(lines, line);) {
        std::string lower = line;
        std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
        const bool is_error = lower.find("error") != std::string::npos || lower.find("fail") != std::string::npos ||
                              lower.find("couldn't") != std::string::npos;
        if (is_error && lower.find("exiting due to") == std::string::npos) found = line;
    }
    return printable(found, 300);
}

void supervise(const Watched& watched) {
    double wait_s = watched.first_pause_s;
    bool was_ready = false;
    for (int n_restarts = 0;;) {
        std::error_code failure;
        check_files(watched);
        if (std::filesystem::file_size(watched.log, failure) > longest_log && !failure)
            std::filesystem::resize_file(watched.log, 0, failure);
        const Run run = run_once(watched);
        if (run.end == End::asked) return;
        was_ready = was_ready || run.ready_s > 0;
        // One that was killed may have been ready without our having seen it.
        if (!was_ready && (!was_killed(run.status) || n_restarts + 1 >= most_early_kills))
            throw EngineError(
                fmt::format("{}; its log is {}", why(watched, run), printable(watched.log.string(), 400)));
        if (run.ready_s >= steady_s) {
            n_restarts = 0;
            wait_s = watched.first_pause_s;
        }
        if (++n_restarts > most_restarts)
            throw EngineError(fmt::format("{}, {} times in a row; its log is {}", why(watched, run), n_restarts,
                                          printable(watched.log.string(), 400)));
        watched.on_trouble(fmt::format("{}; it is started again in {:.1f} s", why(watched, run), wait_s));
        pause(wait_s);
        if (interrupted()) return;
        wait_s = std::min(2 * wait_s, longest_pause_s);
    }
}

}  // namespace ech0
