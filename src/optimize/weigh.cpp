#include "optimize/weigh.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "calibrate/chunks.h"
#include "compress/judge.h"
#include "ech0/error.h"
#include "prune/prune.h"
#include "prune/structure.h"
#include "runtime/engine.h"
#include "runtime/source.h"
#include "verify/verify.h"

namespace ech0 {
namespace {

// What pruning may cost, as shares of the KL that quantizing alone cost. Below the first nothing is lost that could be
// seen; past the last, pruning alone would be as dear as the bits it buys.
constexpr double shares_of_kl[] = {0.02, 0.1, 0.3, 0.6};

// Chunks of the calibration text's selection that ways are compared on.
constexpr int64_t judged_chunks = 8;

/// A folder beside the output, gone when the work is done or fails.
class Ways {
public:
    explicit Ways(std::filesystem::path out) : folder_(std::move(out += ".ech0-ways")) {
        std::filesystem::create_directories(folder_);
    }
    ~Ways() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    Ways(const Ways&) = delete;
    Ways& operator=(const Ways&) = delete;
    std::filesystem::path compressed(size_t i) const { return folder_ / fmt::format("{}.gguf", i); }
    /// One name for all: what was measured for the first serves the others.
    std::filesystem::path pruned() const { return folder_ / "pruned.gguf"; }

private:
    std::filesystem::path folder_;
};

double kl_of(const Judge& judge, const std::filesystem::path& file) {
    const Model version = read_model(file.string());
    return mean_of(judge.kl(version, Source(version).as_stored()));
}

Pruning prune_for(const Model& model, const WeighOptions& options, double most_kl, const std::filesystem::path& file,
                  const Progress& progress) {
    PruneOptions pruning;
    pruning.predicted_kl = most_kl;
    pruning.out = file;
    pruning.keep_work = true;
    pruning.text = options.compress.text;
    pruning.n_ctx = options.compress.n_ctx;
    pruning.n_threads = options.compress.n_threads;
    return prune(model, pruning, progress);
}

/// Pruned as far as most_kl goes, then compressed to the size of the first way.
Way pruned_way(const Model& model, const WeighOptions& options, double most_kl, int64_t budget, const Judge& judge,
               const Ways& ways, size_t i, const Progress& progress) {
    const Pruning pruning = prune_for(model, options, most_kl, ways.pruned(), progress);
    const Model pruned = read_model(pruning.path);
    CompressOptions compressing = options.compress;
    compressing.budget_bytes = budget;
    compressing.bits_per_weight = 0;
    compressing.out = ways.compressed(i);
    Way way;
    way.n_params = pruning.n_params;
    way.what = fmt::format("{:.1f} % of the weights pruned",
                           100 * static_cast<double>(pruning.n_params_before - pruning.n_params) /
                               static_cast<double>(pruning.n_params_before));
    way.kl_pruned = pruning.kl_repaired;
    way.artifact = compress(pruned, compressing, progress);
    way.kl = kl_of(judge, way.artifact.path);
    std::filesystem::remove(pruning.path);
    return way;
}

Way plain_way(const Model& model, const WeighOptions& options, const Judge& judge, const Ways& ways,
              const Progress& progress) {
    CompressOptions compressing = options.compress;
    compressing.out = ways.compressed(0);
    Way way;
    way.what = "nothing pruned";
    way.n_params = model.n_params;
    way.artifact = compress(model, compressing, progress);
    way.kl = kl_of(judge, way.artifact.path);
    return way;
}

Evidence prove(const Model& model, const WeighOptions& options, const std::vector<Way>& ways,
               const Progress& progress) {
    std::vector<Model> candidates;
    for (const Way& way : ways) candidates.push_back(read_model(way.artifact.path));
    VerifyOptions verifying;
    verifying.text = options.text;
    verifying.calibration = options.compress.text;
    verifying.n_chunks = options.n_chunks;
    verifying.n_ctx = options.compress.n_ctx;
    verifying.n_threads = options.compress.n_threads;
    verifying.quick = true;
    verifying.command = options.command;
    return verify(model, candidates, verifying, progress);
}

void measure_bits(const Model& model, const WeighOptions& options, Weighing& result) {
    const EvaluationText text = load_evaluation_text(options.text);
    const auto measured = [&](const Model& m) {
        return measure_bits_per_byte(m, text, options.compress.n_ctx, options.n_chunks, options.compress.n_threads);
    };
    result.original = measured(model);
    for (Way& way : result.ways) way.bits_per_byte = measured(read_model(way.artifact.path));
    if (!options.sibling) return;
    const Model sibling = read_model(*options.sibling);
    result.sibling_path = *options.sibling;
    result.sibling_bytes = sibling.size_bytes;
    result.sibling = measured(sibling);
}

}  // namespace

const Way& Weighing::chosen() const {
    return *std::find_if(ways.begin(), ways.end(), [](const Way& way) { return way.chosen; });
}

Weighing weigh(const Model& model, const WeighOptions& options, const Progress& progress) {
    const auto began = std::chrono::steady_clock::now();
    const CompressOptions& c = options.compress;
    if (!c.type.empty())
        throw UsageError("--allow-prune wants --size or --bpw: with one type there are no bytes to win");
    if (c.imatrix || c.moments)
        throw UsageError("--allow-prune gathers its own statistics: a pruned model's inputs are others");
    if (options.sibling) read_model(*options.sibling).require_weights();  // before the long work
    model.require_weights();
    check_prunable(model);
    start_engine();
    const Source source(model);
    const Judge judge(model, source.as_stored(),
                      spread_chunks(cut_into_chunks(model, c.text.text, c.n_ctx).selection, judged_chunks),
                      {c.n_ctx, c.n_threads > 0 ? c.n_threads : default_threads(), progress});
    const Ways ways(c.out);
    Weighing result;
    result.ways.push_back(plain_way(model, options, judge, ways, progress));
    size_t best = 0;
    const double alone = result.ways.front().kl;
    const int64_t budget = result.ways.front().artifact.plan.budget_bytes;
    for (const double share : shares_of_kl) {
        const size_t i = result.ways.size();
        try {
            result.ways.push_back(pruned_way(model, options, share * alone, budget, judge, ways, i, progress));
        } catch (const UsageError& nothing) {  // nothing so cheap, or the pruned model is small enough as it is
            result.stopped = nothing.what();
            continue;
        }
        if (result.ways[i].kl > result.ways[best].kl) {
            result.stopped = "pruning more made it worse";
            break;
        }
        best = i;
        result.stopped = fmt::format("{:.0f} % of that divergence is the most that is tried", 100 * share);
    }
    result.ways[best].chosen = true;
    result.evidence = prove(model, options, result.ways, progress);
    measure_bits(model, options, result);
    std::filesystem::rename(result.ways[best].artifact.path, c.out);
    result.ways[best].artifact.path = result.evidence.candidates[best].path = c.out.string();
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return result;
}

}  // namespace ech0
