#include "cli/thread_waiting.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/process.h"
#include "ech0/error.h"

#ifdef __linux__
#include <unistd.h>
#endif

namespace ech0 {
namespace {

constexpr std::array<std::string_view, 8> works_in_batches = {"calibrate", "compress", "demo",   "kv",
                                                              "optimize",  "prune",    "verify", "surgeon"};
constexpr std::array<std::string_view, 3> answers = {"chat", "serve",
                                                     "talk"};  // the others measure speed, or need none

}  // namespace

Waiting best_waiting(std::string_view command, double load, int n_cores) {
    const auto is_in = [&](const auto& commands) {
        return std::find(commands.begin(), commands.end(), command) != commands.end();
    };
    if (is_in(works_in_batches)) return Waiting::asleep;
    return is_in(answers) && load > n_cores ? Waiting::asleep : Waiting::spinning;
}

#ifdef __linux__

void set_waiting(Waiting waiting, char** argv) {
    // Ours, so that a child of ours that answers can spin again, and that nobody replaces himself twice.
    constexpr const char* ours = "ECH0_WAITING";
    const char* const now = std::getenv(ours);
    const bool is_persons = std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr;
    if (now == nullptr && (is_persons || waiting == Waiting::spinning)) return;
    const char* const wanted = waiting == Waiting::asleep ? "asleep" : "spinning";
    if (now != nullptr && std::string_view(now) == wanted) return;
    setenv(ours, wanted, 1);
    if (waiting == Waiting::asleep)
        setenv("OMP_WAIT_POLICY", "passive", 1);
    else
        unsetenv("OMP_WAIT_POLICY");
    try {
        execv(this_executable().c_str(), argv);
    } catch (const Error&) {}  // then the threads wait as they are used to
}

#else

void set_waiting(Waiting, char**) {}

#endif

}  // namespace ech0
