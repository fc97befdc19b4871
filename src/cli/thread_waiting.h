#pragma once

#include <string>
#include <string_view>

namespace ech0 {

/// How the engine's threads wait for the slowest of them between two operations.
enum class Waiting { spinning, asleep };

/// Spinning is the engine's default, and right for answers: a token is hundreds of short operations, and waking a
/// thread takes longer than most. Asleep is right for work in batches, where it costs nothing that can be measured, and
/// wherever other work has the cores: a thread that spins then keeps away the very one it waits for
/// (docs/results.md, "Threads that wait": 25 times slower).
/// @param load  processes that want a core, on average over the last minute
Waiting best_waiting(std::string_view command, double load, int n_cores);

/// Have it so. OpenMP reads its environment before main begins, so the program may replace itself by itself, once; what
/// a person set (OMP_WAIT_POLICY, GOMP_SPINCOUNT) stays. Does nothing where the engine has no OpenMP (macOS).
void set_waiting(Waiting waiting, char** argv);

}  // namespace ech0
