#pragma once

#include <filesystem>
#include <optional>

#include "calibrate/text.h"
#include "compress/rounding_options.h"
#include "ech0/artifact.h"
#include "ech0/model.h"
#include "ech0/progress.h"

namespace ech0 {

struct CompressOptions {
    int64_t budget_bytes = 0;    ///< size of the whole file; or else
    double bits_per_weight = 0;  ///< of the tensors; or else
    std::string type;            ///< this type for every matrix
    std::filesystem::path out;
    CalibrationText text;
    std::optional<std::filesystem::path> imatrix;  ///< statistics from here instead of from the text
    std::optional<std::filesystem::path> moments;  ///< second moments from this folder (calibrate_moments)
    int64_t n_ctx = 512;                           ///< tokens per chunk of text
    int effort = 2;                                ///< 1 … 5, see effort_of
    int n_threads = 0;                             ///< 0 = all cores
    int64_t memory_bytes = 0;                      ///< the most memory to take; 0 = what the machine can spare
    RoundingOptions rounding;                      ///< how matrices are rounded, once their types are chosen
    bool fresh = false;                            ///< do not resume
    bool keep_work = false;                        ///< leave the folder of intermediate results
};

/// What an effort buys: tokens that each tensor's sensitivity is measured on, chunks that plans are compared on, rounds
/// of measured changes to the plan, tokens of the calibration text that moments are gathered on, and chunks of it that
/// norms and biases are fitted on at the end.
struct Effort {
    int64_t probe_tokens = 0;
    int64_t selection_chunks = 0;
    int rounds = 0;
    int64_t calibration_tokens = 0;
    int64_t polish_chunks = 0;
};

/// @throws UsageError unless 1 <= effort <= 5
Effort effort_of(int effort);

/// The file closest to the source that the budget allows. The stages: second moments of every matrix's inputs, the
/// error of every matrix in every type, the model's sensitivity to it by end-to-end KL divergence, the best plan by
/// these numbers, measured changes to the plan, the rounding layer after layer, and the file. Everything is kept in
/// OUT.ech0-work until the file is there, so a run that was stopped goes on where it was. The same input and options
/// give the same bytes.
/// @throws UsageError if the budget or the memory is impossible (naming what is possible), FileError, EngineError,
/// Interrupted
Artifact compress(const Model& model, const CompressOptions& options, const Progress& progress);

}  // namespace ech0
