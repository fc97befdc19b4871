#include "cli/run_options.h"

#include <cstdio>

#include <fmt/format.h>
#include <ggml.h>
#include <unistd.h>

#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "machine/probe.h"
#include "runtime/cache_types.h"
#include "runtime/workers.h"

namespace ech0 {
namespace {

// The engine aborts when a worker is lost, and tells only this callback, which has no context.
std::vector<std::string> watched_workers;

// A worker that dies while the model is loaded is an assertion elsewhere, in words that say nothing of workers.
std::string abort_reason(const char* words) {
    if (std::string_view(words).find("RPC") != std::string_view::npos) return worker_trouble(watched_workers, words);
    const std::string gone = watched_workers.empty() ? "" : gone_worker(watched_workers);
    return gone.empty() ? fmt::format("the engine gave up: {}", words) : gone;
}

void on_engine_abort(const char* words) {
    const std::string why = abort_reason(words);
    fmt::print(stderr, "\nech0: {}\n", printable(why, 4000));
    std::fflush(stdout);
    _exit(exit_error);
}

std::string split_text(const Split& split) {
    std::string text;
    for (const SplitPart& part : split.parts)
        text += fmt::format("  {:24} {:3} layers, {} of {}\n", printable(part.name), part.n_layer,
                            format_memory(part.need_bytes), format_memory(part.free_bytes));
    return text;
}

Split split_over(const Model& model, const RunPlan& plan, const std::vector<Worker>& workers,
                 const RunOptions& options) {
    Split split = plan_split(model, plan, workers, options.layers);
    fmt::print(stderr, "{}", split_text(split));
    if (split.remote.empty())
        fmt::print(stderr, "ech0: it fits here alone; the workers stay idle (--split N,N puts layers on them)\n");
    if (!split.fits && options.layers.empty())
        throw UsageError(
            fmt::format("{} does not fit this machine and the workers together: it needs {} with {} tokens "
                        "of context; a smaller --ctx or one more worker helps",
                        printable(model.asked), format_memory(plan.memory.total_bytes()), plan.n_ctx));
    return split;
}

}  // namespace

void add_run_options(CLI::App* command, RunOptions& options) {
    command
        ->add_option("-c,--ctx,--ctx-size", options.wish.n_ctx,
                     "tokens of context (default: what the settings say, or what fits, at most 4096)")
        ->type_name("N");
    command
        ->add_option("--kv", options.wish.kv_type,
                     "type of the KV cache, q8_0, or of keys and values, q8_0/q5_1 (default: what the settings say; "
                     "f16, or what 'ech0 kv plan' found close enough, or q8_0, where only that fits)")
        ->type_name("TYPE");
    add_worker_options(command, options);
    add_threads(command, options.wish.n_threads);
}

void add_worker_options(CLI::App* command, RunOptions& options) {
    add_size(command, "--memory", options.memory_bytes, "what the model may take here (default: what is free)");
    command
        ->add_option("--rpc", options.workers,
                     "workers (ggml-rpc-server) that hold what doesn't fit here; for networks that you trust")
        ->type_name("HOST:PORT,…")
        ->delimiter(',');
    command
        ->add_option("--split", options.layers,
                     "layers for this machine and each worker, instead of as many as fit; the output counts as one")
        ->type_name("N,N,…")
        ->delimiter(',');
}

void name_lost_workers(std::vector<std::string> endpoints) {
    watched_workers = std::move(endpoints);
    ggml_set_abort_callback(on_engine_abort);
}

PlannedRun plan_run_here(const Model& model, RunOptions options, const Config& config) {
    if (!options.layers.empty() && options.workers.empty())
        throw UsageError("--split needs the workers: --rpc HOST:PORT,…");
    if (options.wish.n_ctx == 0) options.wish.n_ctx = config.n_ctx;
    if (options.wish.kv_type.empty()) options.wish.kv_type = config.kv_type;
    Machine machine = probe_memory();
    if (options.memory_bytes > 0) machine.model_budget_bytes = options.memory_bytes;
    if (options.workers.empty()) return {plan_run(model, machine, options.wish), {}};
    name_lost_workers(options.workers);
    const int64_t here_bytes = machine.model_budget_bytes;
    const std::vector<Worker> workers = ask_workers(options.workers);
    for (const Worker& worker : workers) machine.model_budget_bytes += worker.memory_free_bytes;
    PlannedRun run{plan_run(model, machine, options.wish), {}};
    run.plan.budget_bytes = here_bytes;
    run.split = split_over(model, run.plan, workers, options);
    run.plan.mapped = false;
    return run;
}

SessionOptions session_options(const PlannedRun& run, int n_threads) {
    SessionOptions options;
    options.n_ctx = run.plan.n_ctx;
    options.n_outputs = 1;
    options.n_threads = n_threads;
    options.mapped = run.plan.mapped;
    const CacheTypes types = cache_types(run.plan.kv_type);
    options.type_k = types.k;
    options.type_v = types.v;
    options.remote = run.split.remote;
    return options;
}

}  // namespace ech0
