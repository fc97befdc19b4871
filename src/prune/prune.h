#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "calibrate/text.h"
#include "ech0/model.h"
#include "ech0/progress.h"
#include "ech0/units.h"
#include "prune/cut_costs.h"
#include "prune/forecast.h"
#include "prune/instead.h"
#include "prune/method.h"
#include "prune/usual_names.h"

namespace ech0 {

struct PruneOptions {
    Amount remove;                            ///< of the weights outside embedding and output; or else
    int64_t budget_bytes = 0;                 ///< of the whole file, matrices in half precision; or else
    double most_kl = 0;                       ///< as much as costs no more nats per token, measured; or else
    double predicted_kl = 0;                  ///< as much as is predicted to cost no more before repair; or else
    Amount kv_heads, channels, whole_layers;  ///< kind by kind
    Amount experts;                           ///< of every layer of a mixture
    std::set<int64_t> untouched;              ///< layers that stay as they are
    std::filesystem::path out;
    CalibrationText text;
    int64_t n_ctx = 512;
    int64_t n_tokens = 12288;    ///< of the calibration text
    int64_t probe_tokens = 256;  ///< that each layer's sensitivity is measured on
    int n_threads = 0;
    bool fine = false;  ///< channels in steps of 32, not of 256
    Repair repair = Repair::full;
    UnitScore score = UnitScore::measured;
    bool keep_work = false;  ///< leave the folder of second moments, for the next run to the same output
};

/// What was cut from one layer.
struct PrunedLayer {
    int64_t layer = 0, n_kv_heads_before = 0, n_kv_heads = 0, n_channels_before = 0, n_channels = 0;
    int64_t n_experts_before = 0;
    std::vector<int32_t> experts_gone = {};
};

/// One way of removing as much, made and measured.
struct PruneTrial {
    std::string what;
    double added_up_kl = 0;                              ///< nats per token: the sum of single removals
    double predicted_kl = 0, kl_unrepaired = 0, kl = 0;  ///< by the checks; measured on text held out
    bool chosen = false;
    std::vector<CutCheck> checks = {};  ///< on the way to it
};

struct Pruning {
    std::string source_path, source_sha256, path, sha256;
    std::string architecture;  ///< of what was written
    Repair repair = Repair::full;
    int64_t size_bytes = 0;
    int64_t n_layer_before = 0;
    int64_t n_params_before = 0, n_params = 0;
    std::vector<PrunedLayer> layers;  ///< those that stay
    std::vector<PruneTrial> trials;
    std::vector<UsualName> names;
    CutCosts costs;  ///< that the choice was made by; empty with a baseline's score, and not read back from JSON
    double predicted_kl = 0, kl_unrepaired = 0, kl_repaired = 0;  ///< of the chosen one; 0: not measured
    double added_up_kl = 0;                                       ///< of it
    Instead instead;                                              ///< what as few bytes cost without pruning
    std::string pruned_before;  ///< how the source was pruned already: divergences are to it; empty: it was not
    int64_t n_tokens_judged = 0;
    double seconds = 0;
    int64_t peak_memory_bytes = 0;
};

/// What removing a share of the layers' weights would cost and be.
struct PruneOutlook {
    double share = 0, predicted_kl = 0, kl = 0;  ///< nats per token, before repair; measured on short pieces of text
    int64_t kv_heads = 0, channels = 0, layers = 0;
};

/// The same measurements as prune's, and no file. Shares that can't be removed are left out.
/// @param options  out names the folder of work; how much is to go is not asked
/// @throws as prune
std::vector<PruneOutlook> outlook_of(const Model& model, PruneOptions options, const std::vector<double>& shares,
                                     const Progress& progress);

/// Cut layers, heads and feed-forward channels where it hurts least, as measured on this model, and repair what is
/// left.
/// @throws UsageError (an architecture that cannot be written, more to remove than there is), FileError, EngineError,
/// Interrupted
Pruning prune(const Model& model, const PruneOptions& options, const Progress& progress);

}  // namespace ech0
