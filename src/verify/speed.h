#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "ech0/model.h"
#include "ech0/progress.h"
#include "ech0/session.h"

namespace ech0 {

/// What is run to measure speed: a prompt, then an answer, in a context of this size.
struct SpeedOptions {
    int64_t n_prompt = 512;
    int64_t n_generate = 64;
    int64_t n_ctx = 2048;
    int n_threads = 0;                           ///< 0 = all cores
    std::string type_k = "f16", type_v = "f16";  ///< of the KV cache
    std::vector<RemoteShare> remote = {};        ///< the last layers, on other machines
};

struct Speed {
    double prompt_tokens_per_s = 0;
    double tokens_per_s = 0;  ///< generation, one token at a time
    int64_t peak_memory_bytes = 0;
};

/// Load the model, read a prompt and generate; peak memory is this whole process's, so it is meant for one that does
/// nothing else. One token is run before the clock starts, so that loading from disk is not counted.
Speed measure_speed(const Model& model, const SpeedOptions& options);

/// Name of the hidden subcommand of the `ech0` program that prints what `measure_speed` finds as one JSON object:
/// `ech0 measure-alone MODEL --prompt N --generate N --ctx N --threads N`.
inline constexpr const char* measure_alone_command = "measure-alone";
std::string speed_json(const Speed& speed);

/// A worker's share as a word of that command line, "HOST:PORT/DEVICE/LAYERS", and back.
/// @throws UsageError if it is none
std::string share_word(const RemoteShare& share);
RemoteShare read_share(const std::string& word);

/// One model and how it is run; the model as a person writes it: a path.
struct SpeedRun {
    std::string model;
    SpeedOptions options;
};

/// Each run alone in a process of its own, `n_repeats` times in turn (A B C A B C …), so that a machine that grows
/// hot or busy hurts all of them alike. The medians.
/// @param program  the ech0 program
/// @throws EngineError with the child's last words if it fails; Interrupted
std::vector<Speed> measure_alone(const std::filesystem::path& program, std::span<const SpeedRun> runs,
                                 int64_t n_repeats, const Progress& progress = {});

/// Likewise, all models run alike.
std::vector<Speed> measure_alone(const std::filesystem::path& program, std::span<const std::string> models,
                                 int64_t n_repeats, const SpeedOptions& options, const Progress& progress = {});

}  // namespace ech0
