#pragma once

// Predicted beside measured: what fit would have said of a file, and what running it says.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ech0/progress.h"
#include "fit/split.h"
#include "machine/score_log.h"
#include "plan/roofline.h"
#include "verify/speed.h"

namespace ech0 {

struct BenchOptions {
    std::vector<std::string> models;
    std::vector<Split> splits;      ///< of each model over workers, to measure that too; empty = this machine alone
    SpeedOptions speed;             ///< prompt, answer, context, cache, threads
    int64_t n_repeats = 3;          ///< of each model, in turn; the median counts
    std::filesystem::path program;  ///< the ech0 program that measures each alone
};

/// One figure, both ways.
struct Compared {
    Interval predicted;
    double measured = 0;
    bool hit() const { return measured >= predicted.low && measured <= predicted.high; }
};

/// A model spread over this machine and workers. What workers can do nobody knows before, so it is measured alone.
struct SpreadSpeed {
    std::vector<SplitPart> parts;
    Speed measured;  ///< peak_memory_bytes: of this machine's part
};

struct BenchRow {
    std::string model;
    Compared tokens_per_s, prompt_tokens_per_s, memory_bytes;
    double first_token_s = 0;           ///< after a prompt of SpeedOptions::n_prompt tokens
    std::optional<SpreadSpeed> spread;  ///< measured in turn with the model on this machine alone
};

struct Bench {
    std::string machine;
    SpeedOptions speed;
    std::vector<BenchRow> rows;
    size_t fastest = 0;  ///< index of the row that generates fastest
};

/// Measure, compare with what was predicted, and keep the score.
/// Runs over workers keep no score: it is this machine's.
/// @throws UsageError if there is no model or a context is too small; EngineError; Interrupted
Bench bench(const BenchOptions& options, const Progress& progress);

}  // namespace ech0
