#pragma once

// How a model is run, asked in the same words by every command that runs one: context, cache, memory, other machines.

#include <string>
#include <vector>

#include "cli/common.h"
#include "fit/run_plan.h"
#include "fit/split.h"

namespace ech0 {

struct RunOptions {
    RunWish wish;
    int64_t memory_bytes = 0;          ///< what the model may take here; 0 = what is free
    std::vector<std::string> workers;  ///< --rpc
    std::vector<int64_t> layers;       ///< --split; empty = planned
    int64_t n_keep = 0;                ///< chat's --kv-keep; 0 = nothing is forgotten
};

void add_run_options(CLI::App* command, RunOptions& options);

/// Of those, the ones that spread a model over machines.
void add_worker_options(CLI::App* command, RunOptions& options);

/// From now on the engine's giving up ends the program with one line, which names the worker that is gone if one is.
void name_lost_workers(std::vector<std::string> endpoints);

/// The plan on this machine, and on others if there are workers.
struct PlannedRun {
    RunPlan plan;
    Split split;
};

/// What the command line leaves open comes from the settings, and then from what fits. With workers, the split is said
/// on stderr, and a worker that is lost from now on ends the program with one line.
/// @throws UsageError if it does not fit all machines together; as plan_run and ask_workers
PlannedRun plan_run_here(const Model& model, RunOptions options, const Config& config);

/// The words of a session for this plan.
SessionOptions session_options(const PlannedRun& run, int n_threads);

}  // namespace ech0
