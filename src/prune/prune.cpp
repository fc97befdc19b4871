#include "prune/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>

#include "calibrate/chunks.h"
#include "compress/judge.h"
#include "compress/workspace.h"
#include "ech0/error.h"
#include "model/metadata.h"
#include "model/model_hash.h"
#include "prune/cost_record.h"
#include "prune/costs.h"
#include "prune/experts.h"
#include "prune/mend.h"
#include "prune/outcome.h"
#include "prune/pruned_file.h"
#include "prune/zeroed.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

struct Job {
    const Model& model;
    const PruneOptions& options;
    const Progress& progress;
    std::string source_sha256;
    Source source;
    int n_threads;
    Workspace work;
    Chunks chunks, judged;
    MomentStore moments;
};

/// Weights of one kind of part in all layers that may be touched; how many units they are.
struct Stock {
    int64_t units = 0, params = 0;
};

Stock stock_of(const Job& job, bool heads, bool channels) {
    Stock stock;
    for (int64_t i = 0; i < job.model.n_layer; i++) {
        const auto at = static_cast<size_t>(i);
        if (job.options.untouched.contains(i)) continue;
        stock.units += heads ? job.model.n_head_kv[at] : job.model.n_ff[at];
        stock.params +=
            layer_params(job.model, i, heads ? job.model.n_head_kv[at] : 0, channels ? job.model.n_ff[at] : 0);
    }
    return stock;
}

/// Weights in the layers; those outside, embedding and output, stay.
int64_t params_inside(const Model& model) {
    int64_t inside = 0;
    for (const Tensor& t : model.tensors) inside += t.name.starts_with("blk.") ? t.n_elements : 0;
    return inside;
}

/// Weights that must go for a file of so many bytes, its matrices in half precision.
int64_t params_over(const Model& model, int64_t budget_bytes) {
    int64_t bytes = model.size_bytes - model.tensor_bytes;
    for (const Tensor& t : model.tensors)
        bytes += static_cast<int64_t>(ggml_row_size(plain_type(t), t.n_cols())) * t.n_rows();
    if (bytes <= budget_bytes)
        throw UsageError(fmt::format("{} in half precision is {}, no more than --size: nothing is to be removed",
                                     model.files.front().string(), format_disk(bytes)));
    return (bytes - budget_bytes) / static_cast<int64_t>(sizeof(ggml_fp16_t)) + 1;
}

CutGoal goal_of(const Job& job) {
    const PruneOptions& o = job.options;
    const Stock heads = stock_of(job, true, false), channels = stock_of(job, false, true);
    CutGoal goal;
    if (o.budget_bytes > 0)
        goal.all.params = params_over(job.model, o.budget_bytes);
    else
        goal.all = quota_of(o.remove, 0, params_inside(job.model));
    if (o.predicted_kl > 0) goal.all = {0, 0, o.predicted_kl};
    if (o.most_kl > 0) goal.all = {0, 0, o.most_kl};
    goal.layers = quota_of(o.whole_layers, job.model.n_layer, 0);
    goal.kv_heads = quota_of(o.kv_heads, heads.units, heads.params);
    goal.channels = quota_of(o.channels, channels.units, channels.params);
    return goal;
}

/// About what share of the layers' weights goes: sensitivities are measured at removals of about that size.
double share_of(const Job& job, const CutGoal& goal) {
    const double all = static_cast<double>(params_inside(job.model));
    const double asked = static_cast<double>(goal.all.params + goal.kv_heads.params + goal.channels.params);
    return asked > 0 ? std::min(0.9, asked / all) : 0.2;
}

std::vector<PrunedLayer> layers_of(const Model& model, const Structure& structure) {
    std::vector<PrunedLayer> layers;
    for (const KeptLayer& l : structure.layers) {
        const auto at = static_cast<size_t>(l.layer);
        layers.push_back({l.layer, model.n_head_kv[at], static_cast<int64_t>(l.kv_heads.size()), model.n_ff[at],
                          static_cast<int64_t>(l.channels.size())});
    }
    return layers;
}

Workspace open_work(const PruneOptions& o, const std::string& source_sha256) {
    std::filesystem::path folder = o.out;
    folder += ".ech0-work";
    return {folder,
            fmt::format("ech0 {} prune {} text {} n_ctx {} tokens {}", ECH0_VERSION, source_sha256, o.text.sha256,
                        o.n_ctx, o.n_tokens),
            false};
}

void check_options(const Model& model, const PruneOptions& o) {
    const auto given = [](const Amount& amount) { return amount.of != Amount::Of::nothing; };
    if (given(o.experts)) throw UsageError(fmt::format("--experts: {} has no experts", model.files.front().string()));
    const bool kinds = given(o.kv_heads) || given(o.channels) || given(o.whole_layers);
    if (given(o.remove) + (o.budget_bytes > 0) + (o.most_kl > 0) + (o.predicted_kl > 0) + kinds != 1)
        throw UsageError(
            "give one of --size, --remove, --max-kl and what of each kind (--heads, --ffn, --layers): how much is to "
            "go?");
    if (o.remove.of == Amount::Of::units) throw UsageError("--remove wants a share or weights: 20%, 300M");
    if (!o.untouched.empty() && *o.untouched.rbegin() >= model.n_layer)
        throw UsageError(fmt::format("--keep-layers: there is no layer {}: {} has 0 to {}", *o.untouched.rbegin(),
                                     model.files.front().string(), model.n_layer - 1));
}

Job open_job(const Model& model, const PruneOptions& o, const Progress& progress) {
    model.require_weights();
    check_prunable(model);
    check_options(model, o);
    start_engine();
    const std::string source_sha256 = sha256_of_model(model, progress);
    const CalibrationChunks all = cut_into_chunks(model, o.text.text, o.n_ctx);
    Workspace work = open_work(o, source_sha256);
    const std::filesystem::path moments = work.path("moments");
    return {model,
            o,
            progress,
            source_sha256,
            Source(model),
            o.n_threads > 0 ? o.n_threads : default_threads(),
            std::move(work),
            spread_chunks(all.statistics, std::max<int64_t>(1, o.n_tokens / o.n_ctx)),
            spread_chunks(all.selection, judged_chunks),
            MomentStore(moments)};
}

/// Measured, or as an earlier run to the same output measured them.
CutCosts costs_of(Job& job, const CutGoal& goal) {
    const PruneOptions& o = job.options;
    const double share = share_of(job, goal);
    const std::string record = fmt::format("costs-{}-{}-{:.4f}-{}-{}", static_cast<int>(o.score), o.fine, share,
                                           o.probe_tokens, fmt::join(o.untouched, "."));
    if (const auto text = job.work.find_text(record))
        if (std::optional<CutCosts> known = costs_of_record(*text)) return *std::move(known);
    if (!job.moments.of())
        job.moments.complete(gather_moments(job.model, job.source.as_f16(), job.chunks, o.n_ctx, job.n_threads,
                                            job.moments, job.progress));
    const CutCosts costs = measure_costs({job.source, job.moments, job.chunks, probe_chunks(job.judged, o.probe_tokens),
                                          o.n_ctx, o.score, o.fine, share, o.untouched, job.n_threads, job.progress});
    job.work.put_text(record, cost_record(costs));
    return costs;
}

/// A choice, and whether whole layers were among what it could take.
struct Candidate {
    std::string what;
    Choice choice;
    std::vector<CutCheck> checks = {};  // on the way to it
};

// Where parts of a cut are tried on the way to it: at these shares of what its single removals add up to.
constexpr double check_shares[] = {1.0 / 3, 2.0 / 3};

// Less than this share was taken: too far from the whole cut to say anything of it.
constexpr double least_check = 0.1;

/// Parts of the cut, measured as the finished file will be: with what stays chosen anew, or as cut where nothing is
/// repaired.
std::vector<CutCheck> check_on_the_way(const Job& job, const Judge& judge, const CutCosts& costs, const CutGoal& goal,
                                       double added_up) {
    std::vector<CutCheck> checks;
    if (job.options.score != UnitScore::measured) return checks;
    for (const double share : check_shares) {
        const Choice part = choose_units(job.model, costs, goal, share * added_up);
        const bool known = !checks.empty() && checks.back().added_up == part.predicted_kl;
        if (part.predicted_kl < least_check * added_up || part.predicted_kl <= 0 || known) continue;
        const double kl = mean_of(judge.kl(job.model, job.options.repair == Repair::full
                                                          ? made_up(job.source, part.structure, job.moments)
                                                          : zeroed(job.source, part.structure)));
        checks.push_back({part.predicted_kl, forecast_kl(checks, part.predicted_kl), kl});
    }
    return checks;
}

/// Prices of whole layers do not add up as well as those of parts, so a choice that takes layers is made without them
/// too, and both are measured.
std::vector<Candidate> candidates_of(const Job& job, const Judge& judge, const CutCosts& costs, const CutGoal& goal) {
    const auto candidate = [&](const CutCosts& of) {
        const Choice choice = choose_units(job.model, of, goal);
        return Candidate{"parts of layers", choice, check_on_the_way(job, judge, of, goal, choice.predicted_kl)};
    };
    std::vector<Candidate> candidates = {candidate(costs)};
    if (candidates.front().choice.structure.layers.size() == static_cast<size_t>(job.model.n_layer)) return candidates;
    candidates.front().what = "whole layers too";
    if (!goal.all.asked()) return candidates;
    try {
        candidates.push_back(candidate({costs.curves, {}}));
    } catch (const UsageError&) {  // so much can't go without whole layers
    }
    return candidates;
}

/// Cut, measured; mended, measured. The file is `path`.
PruneTrial make(Job& job, const Judge& judge, const Candidate& candidate, const std::filesystem::path& path) {
    const PruneOptions& o = job.options;
    const double added_up = candidate.choice.predicted_kl;
    PruneTrial trial{candidate.what, added_up, forecast_kl(candidate.checks, added_up)};
    trial.checks = candidate.checks;
    const Structure& structure = candidate.choice.structure;
    const PrunedForm form{architecture_of(structure), o.repair != Repair::off,
                          fmt::format("prune {} of {} weights", candidate.choice.removed_params, job.model.n_params)};
    const auto measured = [&](const std::filesystem::path& file) {
        const Model version = read_model(file.string());
        return mean_of(judge.kl(version, Source(version).as_stored()));
    };
    if (o.repair == Repair::off) {
        write_pruned(job.source, structure, form, {}, path);
        trial.kl = trial.kl_unrepaired = measured(path);
        return trial;
    }
    const std::filesystem::path cut_file = job.work.path("cut.gguf");
    write_pruned(job.source, structure, form, {}, cut_file);
    trial.kl_unrepaired = measured(cut_file);
    const Model cut = read_model(cut_file.string());
    const Source pruned(cut);
    std::map<std::string, size_t> sizes;
    const auto piece = [&](const std::string& name) { return fmt::format("{}.{}", path.filename().string(), name); };
    mend({job.source, pruned, structure, job.chunks, o.n_ctx, job.n_threads, o.repair,
          [&](const Tensor& t, std::span<const std::byte> b) {
              job.work.put_piece(piece(t.name), b);
              sizes[t.name] = b.size();
          },
          job.progress});
    const auto repaired = [&](const std::string& name) {
        const auto found = sizes.find(name);
        return found == sizes.end() ? std::span<const std::byte>() : job.work.find_piece(piece(name), found->second);
    };
    write_pruned(job.source, structure, form, repaired, path);
    trial.kl = measured(path);
    return trial;
}

/// A choice that was made and measured, and its file.
struct Made {
    Candidate candidate;
    std::filesystem::path file;
};

/// All of the candidates; the one that is nearest to the original.
Made make_best(Job& job, const Judge& judge, const std::vector<Candidate>& candidates, Pruning& result) {
    size_t best = 0;
    const auto file = [&](size_t i) { return job.work.path(fmt::format("candidate-{}.gguf", i)); };
    for (size_t i = 0; i < candidates.size(); i++) {
        result.trials.push_back(make(job, judge, candidates[i], file(i)));
        if (result.trials[i].kl < result.trials[best].kl) best = i;
    }
    result.trials[best].chosen = true;
    return {candidates[best], file(best)};
}

// Cuts that are made and measured in search of one that costs as much as it may.
constexpr size_t most_attempts = 5;

// A cut that costs so large a share of what it may cost is not worth another attempt.
constexpr double near_enough = 0.8;

/// Cuts that were made and measured already, as checks of the next one.
std::vector<CutCheck> checks_of(const std::vector<PruneTrial>& trials) {
    std::vector<CutCheck> checks;
    for (const PruneTrial& t : trials) checks.push_back({t.added_up_kl, t.predicted_kl, t.kl});
    std::sort(checks.begin(), checks.end(),
              [](const CutCheck& a, const CutCheck& b) { return a.added_up < b.added_up; });
    return checks;
}

/// As much as costs no more than it may, measured. A prediction adds up single removals and knows of no repair, so it
/// is only where to begin: each attempt says by how much it was wrong, and the next one allows for that.
Made make_within(Job& job, const Judge& judge, const CutCosts& costs, Pruning& result) {
    const double most = job.options.most_kl;
    std::optional<Made> best;
    double predicted = most, least = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < most_attempts; i++) {
        Candidate candidate{"", {}};
        try {
            candidate.choice = choose_units(job.model, costs, {{0, 0, predicted}, {}, {}, {}});
        } catch (const UsageError&) {  // nothing is predicted to be as cheap
            if (i == 0) throw;
            break;
        }
        candidate.what = fmt::format("{} weights", candidate.choice.removed_params);
        candidate.checks = checks_of(result.trials);
        const bool known = std::any_of(result.trials.begin(), result.trials.end(),
                                       [&](const PruneTrial& t) { return t.what == candidate.what; });
        if (known) break;
        const std::filesystem::path file = job.work.path(fmt::format("candidate-{}.gguf", i));
        result.trials.push_back(make(job, judge, candidate, file));
        const double kl = result.trials.back().kl;
        least = std::min(least, kl);
        const bool more = !best || candidate.choice.removed_params > best->candidate.choice.removed_params;
        if (kl <= most && more) {
            for (PruneTrial& t : result.trials) t.chosen = false;
            result.trials.back().chosen = true;
            best = Made{candidate, file};
        }
        if (kl <= most && kl >= near_enough * most) break;
        predicted *= kl <= most ? std::min(4.0, 0.95 * most / std::max(kl, 1e-9)) : std::max(0.1, 0.8 * most / kl);
    }
    if (!best)
        throw UsageError(
            fmt::format("--max-kl {:.2g}: the least of the cuts that were tried costs {:.2g} nats per token, measured",
                        most, least));
    return *best;
}

void describe(const Job& job, const Judge& judge, const Candidate& best, Pruning& result) {
    const auto trial =
        std::find_if(result.trials.begin(), result.trials.end(), [](const PruneTrial& t) { return t.chosen; });
    const PruneOptions& o = job.options;
    result.source_sha256 = job.source_sha256;
    result.repair = o.repair;
    result.layers = layers_of(job.model, best.choice.structure);
    result.pruned_before = find_string(job.model.metadata, "ech0.recipe").value_or("");
    if (!result.pruned_before.starts_with("prune")) result.pruned_before.clear();
    if (o.score == UnitScore::measured)
        result.predicted_kl = trial->predicted_kl, result.added_up_kl = trial->added_up_kl;
    result.kl_unrepaired = trial->kl_unrepaired;
    if (o.repair != Repair::off) result.kl_repaired = trial->kl;
    result.n_tokens_judged = judge.n_tokens();
    result.names = usual_names(job.source, best.choice.structure, o.score);
    describe_files(job.model, read_model(o.out.string()), result, job.progress);
    result.instead = quantize_instead(job.source, result.size_bytes, judge);
}

// Tokens that each share of an outlook is measured on.
constexpr int64_t outlook_tokens = 1024;

}  // namespace

std::vector<PruneOutlook> outlook_of(const Model& model, PruneOptions options, const std::vector<double>& shares,
                                     const Progress& progress) {
    options.remove = {Amount::Of::share, shares.front()};
    Job job = open_job(model, options, progress);
    const CutCosts costs = costs_of(job, goal_of(job));
    const Judge judge(model, job.source.as_f16(), probe_chunks(job.judged, outlook_tokens),
                      {options.n_ctx, job.n_threads, progress});
    std::vector<PruneOutlook> outlooks;
    for (const double share : shares) {
        try {
            const CutGoal goal{quota_of({Amount::Of::share, share}, 0, params_inside(model)), {}, {}, {}};
            const Choice choice = choose_units(model, costs, goal);
            PruneOutlook outlook{share, choice.predicted_kl, 0, 0, 0, model.n_layer};
            outlook.kl = mean_of(judge.kl(model, zeroed(job.source, choice.structure)));
            for (const PrunedLayer& l : layers_of(model, choice.structure)) {
                outlook.kv_heads += l.n_kv_heads_before - l.n_kv_heads;
                outlook.channels += l.n_channels_before - l.n_channels;
                outlook.layers--;
            }
            outlooks.push_back(outlook);
        } catch (const UsageError&) {  // so much can't go
        }
    }
    if (!options.keep_work) job.work.remove();
    return outlooks;
}

Pruning prune(const Model& model, const PruneOptions& options, const Progress& progress) {
    if (model.n_expert > 0) return prune_experts(model, options, progress);
    const auto began = std::chrono::steady_clock::now();
    Job job = open_job(model, options, progress);

    // What could go, and what it would cost.
    const CutGoal goal = goal_of(job);
    const CutCosts costs = costs_of(job, goal);

    // The cut and the repair.
    const Judge judge(model, job.source.as_f16(), job.judged, {options.n_ctx, job.n_threads, progress});
    Pruning result;
    const Made best = options.most_kl > 0 ? make_within(job, judge, costs, result)
                                          : make_best(job, judge, candidates_of(job, judge, costs, goal), result);
    std::filesystem::rename(best.file, options.out);
    describe(job, judge, best.candidate, result);
    if (options.score == UnitScore::measured) result.costs = costs;
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (!options.keep_work) job.work.remove();
    return result;
}

}  // namespace ech0
