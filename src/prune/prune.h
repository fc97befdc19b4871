#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calibrate/text.h"
#include "ech0/model.h"
#include "ech0/progress.h"
#include "prune/structure.h"

namespace ech0 {

/// What decides which units go.
enum class UnitScore {
    measured,   ///< least-squares loss of the output times a measured gain
    magnitude,  ///< the squares of the unit's own weights: the usual baseline, for comparison
};

struct PruneOptions {
    double remove_share = 0;   ///< of the weights outside embedding and output; or else
    int64_t budget_bytes = 0;  ///< of the whole file, matrices in half precision
    std::filesystem::path out;
    CalibrationText text;
    int64_t n_ctx = 512;
    int64_t n_tokens = 12288;    ///< of the calibration text
    int64_t probe_tokens = 256;  ///< that each layer's sensitivity is measured on
    int n_threads = 0;
    bool fine = false;  ///< channels in steps of 32, not of 256
    bool repair = true;
    UnitScore score = UnitScore::measured;
    bool keep_work = false;  ///< leave the folder of second moments, for the next run to the same output
};

/// What was cut from one layer.
struct PrunedLayer {
    int64_t layer = 0, n_kv_heads_before = 0, n_kv_heads = 0, n_channels_before = 0, n_channels = 0;
};

struct Pruning {
    std::string source_path, source_sha256, path, sha256;
    int64_t size_bytes = 0;
    int64_t n_params_before = 0, n_params = 0;
    std::vector<PrunedLayer> layers;
    double predicted_kl = 0, kl_unrepaired = 0, kl_repaired = 0;  ///< nats per token, on text held out; 0: not measured
    int64_t n_tokens_judged = 0;
    double seconds = 0;
    int64_t peak_memory_bytes = 0;
};

/// Cut heads and feed-forward channels where it hurts least, as measured on this model, and repair what is left.
/// @throws UsageError (an architecture that cannot be written, more to remove than there is), FileError, EngineError,
/// Interrupted
Pruning prune(const Model& model, const PruneOptions& options, const Progress& progress);

}  // namespace ech0
