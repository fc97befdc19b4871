#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "machine/probe.h"
#include "machine/runtimes.h"
#include "machine/score_log.h"

namespace ech0 {

/// Something that keeps models from running as well as they could here.
struct Problem {
    std::string what, remedy;
};

/// Predictions of one kind that met their measurement on this machine.
struct ScoredKind {
    std::string kind;
    HitRate rate;
};

/// A disk that ech0 writes to.
struct Disk {
    std::string use;             ///< "cache", "current folder"
    std::filesystem::path path;  ///< the folder, or the nearest above it that exists
    int64_t free_bytes = 0, total_bytes = 0;
};

/// What `talk` needs, and whether it is here.
struct TalkPart {
    std::string role;    ///< "microphone", "loudspeaker", "listener", "recognizer", "speaker"
    std::string what;    ///< the best that there is; "" if there is none
    std::string remedy;  ///< how to get it, or a better one; "" if there is nothing to do
};

/// All that `doctor` knows of this machine.
struct Checkup {
    Probe probe;
    std::vector<std::string> backends;  ///< of the engine
    std::string engine;                 ///< its version
    std::vector<Runtime> runtimes;
    std::vector<Disk> disks;
    bool has_home = true;            ///< HOME, or what stands in for it, is set
    std::vector<ScoredKind> scores;  ///< how often our predictions have held here
    std::vector<TalkPart> talk;      ///< of the one who knows about voices: look_at_voice() in cli/doctor.cpp
    std::vector<Problem> problems;
};

/// Look at everything; measures the memory's speed anew (under 2 s).
Checkup check_up();

/// What is wrong by what is known, worst first.
std::vector<Problem> find_problems(const Checkup& checkup);

}  // namespace ech0
