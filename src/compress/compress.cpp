#include "compress/compress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/process.h"
#include "base/sha256.h"
#include "calibrate/chunks.h"
#include "calibrate/moments.h"
#include "compress/gguf_writer.h"
#include "compress/judge.h"
#include "compress/memory_plan.h"
#include "compress/polish.h"
#include "compress/rounding.h"
#include "compress/search.h"
#include "compress/sensitivity.h"
#include "compress/sequential.h"
#include "compress/tensor_costs.h"
#include "compress/workspace.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "model/model_hash.h"
#include "plan/candidates.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

using nlohmann::json;

/// Everything the stages share; built once, then read.
struct Job {
    const Model& model;
    const CompressOptions& options;
    const Progress& progress;
    Source source;
    int n_threads;
    Workspace work;
    CalibrationChunks chunks;
    Calibration calibration;
    std::optional<MomentStore> moments;  // not with an importance matrix: that has the diagonal alone
    std::string source_sha256;
    MemoryPlan memory;
    std::shared_ptr<Spill> spill;  // what the plan does not keep in memory

    TensorMetric metric_of(const Tensor& tensor) const {
        const bool feedback = options.rounding.feedback && moments.has_value();
        return tensor_metric(tensor, feedback ? &*moments : nullptr, calibration.find(tensor.name),
                             options.rounding.shrinkage);
    }
};

Chunks calibration_chunks(const Job& job) {
    const int64_t tokens = effort_of(job.options.effort).calibration_tokens;
    return spread_chunks(job.chunks.statistics, std::max<int64_t>(1, tokens / job.options.n_ctx));
}

Workspace open_workspace(const CompressOptions& options, const std::string& source_sha256) {
    std::string statistics =
        options.imatrix ? "imatrix " + sha256_of_file(*options.imatrix) : "text " + options.text.sha256;
    if (options.moments) statistics += " moments " + sha256(read_file(*options.moments / "index.json"));
    std::filesystem::path folder = options.out;
    folder += ".ech0-work";
    return {folder,
            fmt::format("ech0 {} source {} {} n_ctx {} tokens {} shrinkage {} sweeps {}", ECH0_VERSION, source_sha256,
                        statistics, options.n_ctx, effort_of(options.effort).calibration_tokens,
                        options.rounding.shrinkage, options.rounding.descent.sweeps),
            options.fresh};
}

/// A run that goes on keeps the widths it began with, as long as there is memory for them: the same bytes come out.
void plan_job_memory(Job& job) {
    const CompressOptions& o = job.options;
    const Effort effort = effort_of(o.effort);
    MemoryNeeds needs{job.model,
                      o.n_ctx,
                      effort.calibration_tokens,
                      effort.probe_tokens,
                      effort.selection_chunks * o.n_ctx,
                      effort.polish_chunks * o.n_ctx,
                      job.n_threads};
    int64_t before = 0;
    if (const auto text = job.work.find_text("widest")) before = std::strtoll(text->c_str(), nullptr, 10);
    job.memory = plan_memory(needs, o.memory_bytes, before);
    job.work.put_text("widest", std::to_string(job.memory.limits.widest));
    job.spill = std::make_shared<Spill>(job.work.path(""), job.memory.kept_bytes);
}

/// Moments that `ech0 calibrate --moments` has gathered.
Calibration take_moments(Job& job) {
    const std::filesystem::path& folder = *job.options.moments;
    job.moments.emplace(folder);
    if (!job.moments->of())
        throw UsageError(folder.string() + ": no moments, or not all of them: run ech0 calibrate --moments again");
    if (job.moments->of()->source_sha256 != job.source_sha256)
        throw UsageError(fmt::format("{}: these are moments of another model than {}", folder.string(),
                                     job.model.files.front().string()));
    return *job.moments->of();
}

Calibration statistics(Job& job) {
    if (job.options.imatrix) return read_imatrix(*job.options.imatrix);
    if (job.options.moments) return take_moments(job);
    const Chunks chunks = calibration_chunks(job);
    job.moments.emplace(job.work.path(fmt::format("moments-{}", chunks.size())));
    if (job.moments->of()) return *job.moments->of();
    Calibration calibration = gather_moments(job.model, job.source.as_f16(), chunks, job.options.n_ctx, job.n_threads,
                                             *job.moments, job.progress, job.memory.limits, job.spill);
    calibration.source_sha256 = job.source_sha256;
    calibration.text_sha256 = job.options.text.sha256;
    calibration.text_name = job.options.text.name;
    job.moments->complete(calibration);
    return calibration;
}

Provenance provenance_of(const Job& job, int64_t budget_bytes) {
    Provenance p;
    p.source_name = job.model.files.front().filename().string();
    p.source_sha256 = job.source_sha256;
    p.source_size_bytes = job.model.size_bytes;
    p.calibration_name = job.options.imatrix ? job.options.imatrix->filename().string() : job.options.text.name;
    p.calibration_sha256 = job.options.imatrix ? job.calibration.text_sha256 : job.options.text.sha256;
    p.calibration_n_tokens = job.calibration.n_tokens;
    p.engine = engine_description();
    p.recipe = fmt::format("compress {}--effort {} --ctx {}",
                           job.options.type.empty() ? "" : fmt::format("--type {} ", job.options.type),
                           job.options.effort, job.options.n_ctx);
    p.budget_bytes = budget_bytes;
    p.selection_n_tokens = std::min<int64_t>(effort_of(job.options.effort).selection_chunks,
                                             static_cast<int64_t>(job.chunks.selection.size())) *
                           job.options.n_ctx;
    return p;
}

std::vector<int32_t> stored_types(const Model& model) {
    std::vector<int32_t> types;
    for (const Tensor& tensor : model.tensors) types.push_back(tensor.type);
    return types;
}

/// The whole file's budget, from bytes or from bits per weight.
int64_t whole_budget(const Job& job, int64_t head_bytes) {
    const CompressOptions& o = job.options;
    const int64_t budget =
        o.budget_bytes > 0
            ? o.budget_bytes
            : head_bytes + static_cast<int64_t>(o.bits_per_weight / 8 * static_cast<double>(job.model.n_params));
    if (budget >= job.model.size_bytes)
        throw UsageError(fmt::format("a budget of {} is no smaller than {} itself ({}): there is nothing to compress",
                                     format_disk(budget), job.model.files.front().string(),
                                     format_disk(job.model.size_bytes)));
    if (budget <= head_bytes)
        throw UsageError(fmt::format("a budget of {} is smaller than the file's metadata alone ({})",
                                     format_disk(budget), format_disk(head_bytes)));
    return budget;
}

/// Refuse what no plan can reach before the long work begins.
void check_reachable(const Model& model, const GgufHead& head, int64_t budget) {
    int64_t least = head.head_bytes();
    for (const Tensor& tensor : model.tensors) {
        const ggml_type smallest =
            is_compressible(tensor) ? candidate_types(tensor, 0, 32).front() : static_cast<ggml_type>(tensor.type);
        least += head.padded(static_cast<int64_t>(ggml_row_size(smallest, tensor.n_cols())) * tensor.n_rows());
    }
    if (budget < least)
        throw UsageError(
            fmt::format("a budget of {} is too small for {}: with the smallest types its rows allow it takes {}",
                        format_disk(budget), model.files.front().string(), format_disk(least)));
}

/// The type whose rounding a tensor's sensitivity is probed with: plain blocks (quick to make) of about the size that
/// the budget comes to, since small errors say little about large ones.
ggml_type probe_type(const TensorCosts& costs, double target_bits) {
    ggml_type probe = plain_type(*costs.tensor);  // rows that no block divides have no other type anyway
    for (const ggml_type type : {GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q4_0, GGML_TYPE_Q5_K,
                                 GGML_TYPE_Q5_0, GGML_TYPE_Q6_K, GGML_TYPE_Q8_0}) {
        if (!row_fits(type, costs.tensor->n_cols())) continue;
        probe = type;
        if (type_bits(type) >= target_bits - 0.5) break;
    }
    return probe;
}

std::vector<std::byte> probe_bytes(const Job& job, const TensorCosts& costs, double target_bits,
                                   const TensorMetric& metric) {
    const Tensor& tensor = *costs.tensor;
    const ggml_type type = probe_type(costs, target_bits), plain = plain_type(tensor);
    const size_t row_bytes = ggml_row_size(plain, tensor.n_cols()), rounded_row = ggml_row_size(type, tensor.n_cols());
    std::vector<std::byte> bytes;
    bytes.reserve(row_bytes * static_cast<size_t>(tensor.n_rows()));
    std::vector<float> row(static_cast<size_t>(tensor.n_cols()));
    const auto take = [&](std::span<const std::byte> slab) {
        for (size_t at = 0; at < slab.size(); at += rounded_row) {
            to_float(type, slab.data() + at, row.data(), tensor.n_cols());
            bytes.resize(bytes.size() + row_bytes);
            from_float(plain, row.data(), bytes.data() + bytes.size() - row_bytes, tensor.n_cols());
        }
    };
    round_tensor(job.source, tensor, type, metric, job.options.rounding.descent, job.n_threads, take);
    return bytes;
}

/// KL per unit of local error, for every tensor that has a choice; 0 for the others.
std::vector<double> gains(Job& job, const std::vector<TensorCosts>& costs, double target_bits) {
    const Effort effort = effort_of(job.options.effort);
    std::vector<const Tensor*> tensors;
    std::map<std::string, const TensorCosts*> by_name;
    for (const TensorCosts& c : costs)
        if (c.types.size() > 1) tensors.push_back(c.tensor), by_name[c.tensor->name] = &c;
    const std::string name = fmt::format("gains-{}-{:.1f}.json", effort.probe_tokens, target_bits);
    json known = json::object();
    if (const auto text = job.work.find_text(name)) known = json::parse(*text, nullptr, false);
    if (!known.is_object() || known.size() != tensors.size()) {
        std::map<std::string, double> errors;
        const auto disturb = [&](const Tensor& t) {
            const TensorCosts& c = *by_name.at(t.name);
            const TensorMetric metric = job.metric_of(t);  // the dear part: read and factored once for both
            errors[t.name] =
                local_error(job.source, t, probe_type(c, target_bits), metric, job.options.rounding.descent);
            std::vector<std::byte> bytes = probe_bytes(job, c, target_bits, metric);
            job.source.release(t);
            return bytes;
        };
        known = json::object();
        for (const Disturbance& d :
             measure_disturbances(job.source, probe_chunks(job.chunks.selection, effort.probe_tokens), tensors, disturb,
                                  job.n_threads, job.progress, job.spill)) {
            const double error = errors.at(d.tensor);
            known[d.tensor] = error > 0 ? d.kl_divergence / error : 0;
        }
        job.work.put_text(name, known.dump());
    }
    std::vector<double> result;
    for (const TensorCosts& c : costs) result.push_back(c.types.size() > 1 ? known[c.tensor->name].get<double>() : 0);
    return result;
}

/// The model as a plan stores it; rounded tensors come from the workspace.
struct PlannedModel {
    Job& job;
    const std::vector<TensorCosts>& costs;
    const std::vector<int32_t>& choice;

    ggml_type type(size_t i) const { return costs[i].types[static_cast<size_t>(choice[i])]; }

    std::span<const std::byte> bytes(size_t i) const {
        const Tensor& tensor = *costs[i].tensor;
        if (type(i) == static_cast<ggml_type>(tensor.type)) return job.source.bytes(tensor);
        return job.work.tensor(tensor, type(i), [&](const auto& take) {
            round_tensor(job.source, tensor, type(i), job.metric_of(tensor), job.options.rounding.descent,
                         job.n_threads, take);
        });
    }

    size_t index(const Tensor& tensor) const { return static_cast<size_t>(&tensor - job.model.tensors.data()); }

    Weights weights() const {
        return {[this](const Tensor& t) { return type(index(t)); },
                [this](const Tensor& t, std::vector<std::byte>&) { return bytes(index(t)); },
                [this](const Tensor& t) { release(t); }};
    }

    void release(const Tensor& t) const {
        job.source.release(t);
        job.work.release(Workspace::piece_name(t, type(index(t))));
    }
};

/// KL per position of one version of the model, kept under `name`.
std::vector<double> measure(Job& job, const Judge& judge, const Weights& weights, const std::string& name) {
    if (const auto known = job.work.find_text(name); known && known->size() % sizeof(double) == 0) {
        std::vector<double> kl(known->size() / sizeof(double));
        std::memcpy(kl.data(), known->data(), known->size());
        return kl;
    }
    const std::vector<double> kl = judge.kl(job.model, weights);
    job.work.put_text(name, std::string(reinterpret_cast<const char*>(kl.data()), kl.size() * sizeof(double)));
    return kl;
}

/// The same name for the same types.
std::string types_key(const PlannedModel& planned) {
    std::string key;
    for (size_t i = 0; i < planned.choice.size(); i++) key += type_label(planned.type(i)) + ' ';
    return sha256(key).substr(0, 16);
}

std::vector<double> measure_plan(Job& job, const Judge& judge, const PlannedModel& planned) {
    const std::string name = fmt::format("trial-{}-{}", judge.chunks().size(), types_key(planned));
    std::vector<double> kl = measure(job, judge, planned.weights(), name);
    job.work.trim(4 * job.model.size_bytes, [&](const std::string& piece) {
        for (size_t i = 0; i < planned.choice.size(); i++)
            if (piece == Workspace::piece_name(*planned.costs[i].tensor, planned.type(i))) return true;
        return false;
    });
    return kl;
}

Plan plan_of(const std::vector<TensorCosts>& costs, const std::vector<double>& gain, const SearchResult& found) {
    Plan plan;
    plan.predicted_kl = found.predicted_kl;
    plan.measured_kl = found.measured_kl;
    plan.tried = found.tried;
    for (size_t i = 0; i < costs.size(); i++) {
        const auto k = static_cast<size_t>(found.choice[i]);
        const ggml_type type = costs[i].types[k];
        const auto bytes =
            static_cast<int64_t>(ggml_row_size(type, costs[i].tensor->n_cols())) * costs[i].tensor->n_rows();
        plan.tensors.push_back(
            {costs[i].tensor->name, type, type_label(type), bytes, costs[i].errors[k], gain[i] * costs[i].errors[k]});
    }
    return plan;
}

/// What plans are compared by: chunks that calibration did not see.
Judge make_judge(const Job& job) {
    return {job.model,
            job.source.as_stored(),
            spread_chunks(job.chunks.selection, effort_of(job.options.effort).selection_chunks),
            {job.options.n_ctx, job.n_threads, job.progress, job.spill}};
}

/// A plan, and the ways of storing each tensor that it chose from.
struct Planned {
    Plan plan;
    std::vector<TensorCosts> costs;
    std::vector<int32_t> choice;
};

Planned make_plan(Job& job, const Judge& judge, int64_t tensor_budget, int64_t alignment) {
    const Effort effort = effort_of(job.options.effort);
    const double target_bits = 8.0 * static_cast<double>(tensor_budget) / static_cast<double>(job.model.n_params);
    Planned result;
    result.costs = tensor_costs(
        job.source, [&](const Tensor& t) { return job.metric_of(t); }, job.options.rounding.descent, target_bits,
        job.work, job.memory.metric_threads, job.progress);
    const std::vector<double> gain = gains(job, result.costs, target_bits);
    SearchProblem problem{result.costs, gain, tensor_budget, alignment, effort.rounds, {}, job.progress};
    if (effort.rounds > 0)
        problem.measure = [&](const std::vector<int32_t>& choice) {
            return measure_plan(job, judge, PlannedModel{job, result.costs, choice});
        };
    const SearchResult found = search_plan(problem);
    result.choice = found.choice;
    result.plan = plan_of(result.costs, gain, found);
    return result;
}

/// Every matrix in one type; where its rows do not divide into the type's blocks, in the next larger that they do.
Planned one_type_plan(const Job& job, ggml_type wanted) {
    Planned result;
    for (const Tensor& tensor : job.model.tensors) {
        ggml_type type = static_cast<ggml_type>(tensor.type);
        if (is_compressible(tensor) && type_bits(wanted) < type_bits(type)) {
            const std::vector<ggml_type> larger = candidate_types(tensor, type_bits(wanted), 32);
            type = row_fits(wanted, tensor.n_cols()) ? wanted : larger.front();
        }
        result.costs.push_back({&tensor, {type}, {0}});
        result.choice.push_back(0);
    }
    result.plan = plan_of(result.costs, std::vector<double>(result.costs.size()), {result.choice, 0, 0, {}});
    return result;
}

/// The planned model with its matrices rounded for good: layer after layer, each fitted to the original's output.
class FinalModel {
public:
    FinalModel(Job& job, const PlannedModel& planned)
        : job_(job),
          planned_(planned),
          prefix_(fmt::format("final-{}-{}", types_key(planned), calibration_chunks(job).size())) {}

    void round() {
        const Chunks chunks = calibration_chunks(job_);
        round_sequentially(
            {job_.source, chunks, [&](const Tensor& t) { return planned_.type(planned_.index(t)); },
             job_.options.rounding, job_.options.n_ctx, job_.n_threads, [&](const Tensor& t) { return known(t); },
             [&](const Tensor& t, std::span<const std::byte> b) { job_.work.put_piece(name(t), b); }, job_.progress,
             [&](const std::string& what) { notes_.push_back(what); }, job_.memory.limits, job_.spill});
    }

    const std::vector<std::string>& notes() const { return notes_; }

    std::span<const std::byte> bytes(size_t i) const {
        const Tensor& tensor = *planned_.costs[i].tensor;
        if (planned_.type(i) == static_cast<ggml_type>(tensor.type)) return job_.source.bytes(tensor);
        const auto mine = job_.work.find_piece(name(tensor), size(tensor));
        return mine.empty() ? planned_.bytes(i) : mine;  // a matrix that no product of the graph showed
    }

    Weights weights() const {
        Weights weights = planned_.weights();
        weights.bytes = [this](const Tensor& t, std::vector<std::byte>&) { return bytes(planned_.index(t)); };
        weights.release = [this](const Tensor& t) { release(t); };
        return weights;
    }

    void release(const Tensor& t) const {
        planned_.release(t);
        job_.work.release(name(t));
    }

    std::string trial_name() const { return prefix_ + "-kl"; }

private:
    std::string name(const Tensor& t) const { return prefix_ + "." + t.name; }
    size_t size(const Tensor& t) const {
        return ggml_row_size(planned_.type(planned_.index(t)), t.n_cols()) * static_cast<size_t>(t.n_rows());
    }
    /// The embedding stands before all layers: it is rounded by itself.
    std::span<const std::byte> known(const Tensor& t) const {
        return t.name == "token_embd.weight" ? bytes(planned_.index(t)) : job_.work.find_piece(name(t), size(t));
    }

    Job& job_;
    const PlannedModel& planned_;
    std::string prefix_;
    std::vector<std::string> notes_;
};

/// The engine must make of the file what it made of the weights that were planned.
/// @throws Error if it does not
void check_written(const Judge& judge, const Model& model, const Weights& planned, const Model& written) {
    const std::vector<double> expected = judge.kl_at_first(model, planned),
                              found = judge.kl_at_first(written, Source(written).as_stored());
    // The same kernels on the same weights; what is left is the last bits of sums that threads may have ordered anew.
    constexpr double tolerance = 1e-4;  // nats
    for (size_t i = 0; i < expected.size(); i++)
        if (!(std::abs(expected[i] - found[i]) <= tolerance * (1 + expected[i])))
            throw Error(fmt::format(
                "the file that was written is not the model that was planned: at token {} KL divergence {:.6f}, "
                "planned {:.6f}",
                i, found[i], expected[i]));
}

/// Norms and biases for the model as rounding has left it.
Polish polished(Job& job, const Judge& judge, const Weights& rounded, std::vector<double> kl, const std::string& key) {
    const auto name = [key](const std::string& way) { return key + "-" + sha256(way).substr(0, 8); };
    PolishJob polish_job{
        job.source, rounded, spread_chunks(calibration_chunks(job), effort_of(job.options.effort).polish_chunks),
        {},         judge,   std::move(kl)};
    polish_job.walk = {{job.options.n_ctx, job.n_threads}, nullptr, {}, "polish", job.progress, job.spill};
    polish_job.known = [&, name](const std::string& way) -> std::optional<SmallTensors> {
        const auto text = job.work.find_text(name(way));
        const json kept = text ? json::parse(*text, nullptr, false) : json();
        return kept.is_object() ? std::optional(kept.get<SmallTensors>()) : std::nullopt;
    };
    polish_job.keep = [&, name](const std::string& way, const SmallTensors& changed) {
        job.work.put_text(name(way), json(changed).dump());
    };
    return polish(polish_job);
}

/// Round for good, measure, and write; the better of the two roundings where both were measured.
void finish(Job& job, const Judge& judge, Planned& planned, Provenance provenance, Artifact& artifact) {
    const PlannedModel by_itself{job, planned.costs, planned.choice};
    FinalModel final_model(job, by_itself);
    Plan& plan = planned.plan;
    const double before = plan.measured_kl;
    // A model that cannot be run in parts would have to be run whole for each of its matrices.
    const bool in_parts = !split_into_segments(job.model).front().from_tokens;
    if (in_parts) final_model.round();
    const std::vector<double> kl = measure(job, judge, final_model.weights(), final_model.trial_name());
    plan.measured_kl = mean_of(kl);
    const bool keep = before == 0 || plan.measured_kl < before;
    for (const std::string& note : final_model.notes()) plan.tried.push_back({note, true, 0});
    plan.tried.push_back({in_parts ? "rounding layer after layer, fitted to the original's output"
                                   : "rounding of each matrix by itself: this architecture only runs whole",
                          keep, plan.measured_kl});
    const Weights rounded = keep ? final_model.weights() : by_itself.weights();
    const Polish small = polished(job, judge, rounded, keep ? kl : measure_plan(job, judge, by_itself),
                                  final_model.trial_name() + (keep ? "-polish" : "-polish-by-itself"));
    plan.tried.insert(plan.tried.end(), small.tried.begin(), small.tried.end());
    plan.measured_kl = small.kl_divergence;
    const Weights weights = with_changed(rounded, small.changed);
    provenance.selection_kl_divergence = plan.measured_kl;
    std::vector<int32_t> types;
    for (const Assignment& a : plan.tensors) types.push_back(a.type);
    const GgufHead head(job.model, types, provenance);
    const auto read = [&](size_t i, std::vector<std::byte>& scratch) {
        if (job.progress) job.progress("write", static_cast<int64_t>(i), static_cast<int64_t>(types.size()));
        if (i > 0) final_model.release(job.model.tensors[i - 1]);
        return weights.bytes(job.model.tensors[i], scratch);
    };
    const auto proof = [&](const Model& written) { check_written(judge, job.model, weights, written); };
    artifact.sha256 = head.write(job.options.out, read, proof);
    artifact.size_bytes = head.file_bytes();
}

}  // namespace

Effort effort_of(int effort) {
    constexpr Effort efforts[] = {{128, 1, 0, 6144, 4},
                                  {256, 2, 0, 12288, 6},
                                  {384, 2, 1, 24576, 8},
                                  {768, 4, 2, 65536, 16},
                                  {1536, 8, 4, 131072, 32}};
    if (effort < 1 || effort > 5) throw UsageError(fmt::format("effort {}: must be 1 to 5", effort));
    return efforts[effort - 1];
}

Artifact compress(const Model& model, const CompressOptions& options, const Progress& progress) {
    const auto began = std::chrono::steady_clock::now();
    model.require_weights();
    start_engine();
    effort_of(options.effort);
    if (!options.type.empty()) offered_type(options.type);  // a misspelt one is better said now
    const std::string source_sha256 = sha256_of_model(model, progress);
    Job job{model,
            options,
            progress,
            Source(model),
            options.n_threads > 0 ? options.n_threads : default_threads(),
            open_workspace(options, source_sha256),
            cut_into_chunks(model, options.text.text, options.n_ctx),
            {},
            {},
            source_sha256,
            {},
            nullptr};
    plan_job_memory(job);

    // Refuse an impossible budget before the long work.
    const GgufHead unchanged(model, stored_types(model), provenance_of(job, 0));
    const int64_t budget = options.type.empty() ? whole_budget(job, unchanged.head_bytes()) : 0;
    if (options.type.empty()) check_reachable(model, unchanged, budget);
    job.calibration = statistics(job);
    const Provenance provenance = provenance_of(job, budget);
    const GgufHead head(model, stored_types(model), provenance);
    const Judge judge = make_judge(job);
    Planned planned = options.type.empty() ? make_plan(job, judge, budget - head.head_bytes(), head.padded(1))
                                           : one_type_plan(job, offered_type(options.type));
    planned.plan.budget_bytes = budget;

    // From here on the plan decides alone.
    Artifact artifact;
    finish(job, judge, planned, provenance, artifact);
    artifact.plan = std::move(planned.plan);
    artifact.plan.file_bytes = artifact.size_bytes;
    artifact.source_path = model.files.front().string();
    artifact.source_sha256 = source_sha256;
    artifact.path = options.out.string();
    int64_t tensor_bytes = 0;
    for (const Assignment& a : artifact.plan.tensors) tensor_bytes += a.size_bytes;
    artifact.bits_per_weight = 8.0 * static_cast<double>(tensor_bytes) / static_cast<double>(model.n_params);
    artifact.peak_memory_bytes = peak_memory_bytes();
    artifact.predicted_peak_memory_bytes = job.memory.peak_bytes;
    artifact.moment_columns = job.memory.limits.widest;
    artifact.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (!options.keep_work) job.work.remove();
    return artifact;
}

}  // namespace ech0
