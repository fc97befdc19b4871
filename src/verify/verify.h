#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "calibrate/text.h"
#include "ech0/evidence.h"
#include "ech0/model.h"
#include "ech0/progress.h"

namespace ech0 {

struct VerifyOptions {
    std::filesystem::path text;  ///< empty = the evaluation text that is part of the program
    std::optional<CalibrationText>
        calibration;                ///< what `text` must not repeat; none = the one that is part of the program
    int64_t n_ctx = 512;            ///< tokens per chunk
    int64_t n_chunks = 0;           ///< at most so many; 0 = all the text
    int n_threads = 0;              ///< 0 = all cores
    uint64_t seed = 1;              ///< of the facts to retrieve
    bool quick = false;             ///< without retrieval, speed and memory
    std::filesystem::path program;  ///< the ech0 program that measures each model alone; empty = no speed, no memory
    std::string command;            ///< for the report
};

/// For a caller who has long work to do before there is a candidate; verify checks too.
/// @throws UsageError if n_ctx is below 64 or beyond what the model was trained on; FileError if the text can't be read
void check(const Model& model, const VerifyOptions& options);

/// Compare candidates with their original on a text: KL divergence, top-1 agreement, perplexity, greedy agreement,
/// retrieval; and each file alone: speed and peak memory.
/// @throws UsageError if there is no candidate, the vocabularies differ, the text is too short, or n_ctx is below 64 or
/// beyond
///         what the models were trained on; EngineError; FileError; Interrupted
Evidence verify(const Model& original, std::span<const Model> candidates, const VerifyOptions& options,
                const Progress& progress = {});

}  // namespace ech0
