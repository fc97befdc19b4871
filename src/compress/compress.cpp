#include "compress/compress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/process.h"
#include "base/sha256.h"
#include "calibrate/gather.h"
#include "compress/gguf_writer.h"
#include "compress/rounding.h"
#include "compress/search.h"
#include "compress/sensitivity.h"
#include "compress/tensor_costs.h"
#include "compress/workspace.h"
#include "ech0/error.h"
#include "ech0/units.h"
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
    std::string source_sha256;
};

Workspace open_workspace(const CompressOptions& options, const std::string& source_sha256) {
    const std::string statistics =
        options.imatrix ? "imatrix " + sha256_of_file(*options.imatrix) : "text " + options.text.sha256;
    std::filesystem::path folder = options.out;
    folder += ".ech0-work";
    return {folder,
            fmt::format("ech0 {} source {} {} n_ctx {}", ECH0_VERSION, source_sha256, statistics, options.n_ctx),
            options.fresh};
}

Calibration statistics(Job& job) {
    if (job.options.imatrix) return read_imatrix(*job.options.imatrix);
    const std::string name = "calibration.gguf";
    if (std::filesystem::exists(job.work.path(name))) return read_imatrix(job.work.path(name));
    Calibration calibration = gather_importance(job.model, job.source.as_stored(), job.chunks.statistics,
                                                job.options.n_ctx, job.n_threads, job.progress);
    calibration.source_sha256 = job.source_sha256;
    calibration.text_sha256 = job.options.text.sha256;
    calibration.text_name = job.options.text.name;
    write_imatrix(calibration, job.work.path(name));
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
    p.recipe = fmt::format("compress --effort {} --ctx {}", job.options.effort, job.options.n_ctx);
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

std::vector<std::byte> probe_bytes(const Job& job, const TensorCosts& costs, double target_bits) {
    const Tensor& tensor = *costs.tensor;
    const ggml_type type = probe_type(costs, target_bits), plain = plain_type(tensor);
    const size_t row_bytes = ggml_row_size(plain, tensor.n_cols()), rounded_row = ggml_row_size(type, tensor.n_cols());
    std::vector<std::byte> bytes;
    bytes.reserve(row_bytes * static_cast<size_t>(tensor.n_rows()));
    std::vector<float> row(static_cast<size_t>(tensor.n_cols()));
    round_tensor(job.source, tensor, type, costs.weights, job.n_threads, [&](std::span<const std::byte> slab) {
        for (size_t at = 0; at < slab.size(); at += rounded_row) {
            to_float(type, slab.data() + at, row.data(), tensor.n_cols());
            bytes.resize(bytes.size() + row_bytes);
            from_float(plain, row.data(), bytes.data() + bytes.size() - row_bytes, tensor.n_cols());
        }
    });
    return bytes;
}

/// Short pieces from all over the selection text, n_tokens together.
Chunks probe_chunks(const Chunks& selection, int64_t n_tokens) {
    Chunks pieces;
    const auto each = std::max<size_t>(16, static_cast<size_t>(n_tokens) / selection.size());
    for (const auto& chunk : selection)
        pieces.emplace_back(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(std::min(each, chunk.size())));
    return pieces;
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
        const auto disturb = [&](const Tensor& t) { return probe_bytes(job, *by_name.at(t.name), target_bits); };
        known = json::object();
        for (const Disturbance& d :
             measure_disturbances(job.source, probe_chunks(job.chunks.selection, effort.probe_tokens), tensors, disturb,
                                  job.n_threads, job.progress)) {
            const TensorCosts& c = *by_name.at(d.tensor);
            const double error = local_error(job.source, *c.tensor, probe_type(c, target_bits), c.weights, 32);
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
            round_tensor(job.source, tensor, type(i), costs[i].weights, job.n_threads, take);
        });
    }

    size_t index(const Tensor& tensor) const { return static_cast<size_t>(&tensor - job.model.tensors.data()); }

    Weights weights() const {
        return {[this](const Tensor& t) { return type(index(t)); },
                [this](const Tensor& t, std::vector<std::byte>&) { return bytes(index(t)); },
                [this](const Tensor& t) { job.source.release(t); }};
    }
};

/// Logits of the original on the chunks that plans are compared on.
std::vector<std::vector<float>> reference_logits(Job& job, const Chunks& chunks) {
    std::vector<std::vector<float>> logits(chunks.size());
    Walk walk{{job.options.n_ctx, job.n_threads}, nullptr, {}, "original", job.progress};
    walk.on_logits = [&](int64_t c, std::span<const float> l) {
        check_logits(l, job.model.n_vocab, job.n_threads);
        logits[static_cast<size_t>(c)].assign(l.begin(), l.end());
    };
    walk_model(job.model, job.source.as_stored(), chunks, walk);
    return logits;
}

std::vector<double> measure_plan(Job& job, const PlannedModel& planned, const Chunks& chunks,
                                 const std::vector<std::vector<float>>& reference) {
    std::string key;
    for (size_t i = 0; i < planned.choice.size(); i++) key += type_label(planned.type(i)) + ' ';
    const std::string name = fmt::format("trial-{}-{}", chunks.size(), sha256(key).substr(0, 16));
    if (const auto known = job.work.find_text(name); known && known->size() % sizeof(double) == 0) {
        std::vector<double> kl(known->size() / sizeof(double));
        std::memcpy(kl.data(), known->data(), known->size());
        return kl;
    }
    std::vector<double> kl;
    Walk walk{{job.options.n_ctx, job.n_threads}, nullptr, {}, "", {}};
    walk.on_logits = [&](int64_t c, std::span<const float> logits) {
        const std::vector<double> part =
            kl_per_position(reference[static_cast<size_t>(c)], logits, job.model.n_vocab, job.n_threads);
        kl.insert(kl.end(), part.begin(), part.end());
    };
    walk_model(job.model, planned.weights(), chunks, walk);
    job.work.put_text(name, std::string(reinterpret_cast<const char*>(kl.data()), kl.size() * sizeof(double)));
    job.work.trim(4 * job.model.size_bytes, [&](const std::string& piece) {
        for (size_t i = 0; i < planned.choice.size(); i++)
            if (piece == Workspace::piece_name(*planned.costs[i].tensor, planned.type(i))) return true;
        return false;
    });
    return kl;
}

/// Evenly spread chunks of the selection text.
Chunks selection_chunks(const Chunks& all, int64_t n) {
    Chunks chosen;
    const auto size = static_cast<int64_t>(all.size());
    n = std::min(n, size);
    for (int64_t i = 0; i < n; i++) chosen.push_back(all[static_cast<size_t>((2 * i + 1) * size / (2 * n))]);
    return chosen;
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

Plan make_plan(Job& job, int64_t budget_bytes, int64_t tensor_budget, int64_t alignment,
               std::vector<TensorCosts>& costs) {
    const Effort effort = effort_of(job.options.effort);
    const double target_bits = 8.0 * static_cast<double>(tensor_budget) / static_cast<double>(job.model.n_params);
    costs = tensor_costs(job.source, job.calibration, target_bits, job.work, job.n_threads, job.progress);
    const std::vector<double> gain = gains(job, costs, target_bits);
    const Chunks chunks = selection_chunks(job.chunks.selection, effort.selection_chunks);
    const std::vector<std::vector<float>> reference = reference_logits(job, chunks);
    SearchProblem problem{costs, gain, tensor_budget, alignment, effort.rounds, {}, job.progress};
    problem.measure = [&](const std::vector<int32_t>& choice) {
        return measure_plan(job, PlannedModel{job, costs, choice}, chunks, reference);
    };
    Plan plan = plan_of(costs, gain, search_plan(problem));
    plan.budget_bytes = budget_bytes;
    return plan;
}

void write_artifact(Job& job, const Plan& plan, const std::vector<TensorCosts>& costs, Provenance provenance,
                    Artifact& artifact) {
    std::vector<int32_t> types, choice;
    for (size_t i = 0; i < costs.size(); i++) {
        types.push_back(plan.tensors[i].type);
        choice.push_back(static_cast<int32_t>(
            std::find(costs[i].types.begin(), costs[i].types.end(), static_cast<ggml_type>(types.back())) -
            costs[i].types.begin()));
    }
    provenance.selection_kl_divergence = plan.measured_kl;
    const GgufHead head(job.model, types, provenance);
    const PlannedModel planned{job, costs, choice};
    head.write(job.options.out, [&](size_t i, std::vector<std::byte>&) {
        if (job.progress) job.progress("write", static_cast<int64_t>(i), static_cast<int64_t>(costs.size()));
        return planned.bytes(i);
    });
    artifact.size_bytes = head.file_bytes();
}

}  // namespace

Effort effort_of(int effort) {
    constexpr Effort efforts[] = {{128, 1, 0}, {256, 2, 0}, {384, 2, 1}, {768, 4, 2}, {1536, 8, 4}};
    if (effort < 1 || effort > 5) throw UsageError(fmt::format("effort {}: must be 1 to 5", effort));
    return efforts[effort - 1];
}

Artifact compress(const Model& model, const CompressOptions& options, const Progress& progress) {
    const auto began = std::chrono::steady_clock::now();
    model.require_weights();
    start_engine();
    effort_of(options.effort);
    const std::string source_sha256 = cached_sha256_of_file(model.files.front(), progress);
    Job job{model,
            options,
            progress,
            Source(model),
            options.n_threads > 0 ? options.n_threads : default_threads(),
            open_workspace(options, source_sha256),
            cut_into_chunks(model, options.text.text, options.n_ctx),
            {},
            source_sha256};

    // Refuse an impossible budget before the long work.
    const GgufHead unchanged(model, stored_types(model), provenance_of(job, 0));
    const int64_t budget = whole_budget(job, unchanged.head_bytes());
    check_reachable(model, unchanged, budget);
    job.calibration = statistics(job);
    const Provenance provenance = provenance_of(job, budget);
    const GgufHead head(model, stored_types(model), provenance);
    std::vector<TensorCosts> costs;
    Artifact artifact;
    artifact.plan = make_plan(job, budget, budget - head.head_bytes(), head.padded(1), costs);

    // From here on the plan decides alone.
    write_artifact(job, artifact.plan, costs, provenance, artifact);
    artifact.plan.file_bytes = artifact.size_bytes;
    artifact.source_path = model.files.front().string();
    artifact.source_sha256 = source_sha256;
    artifact.path = options.out.string();
    artifact.sha256 = cached_sha256_of_file(options.out, progress);
    int64_t tensor_bytes = 0;
    for (const Assignment& a : artifact.plan.tensors) tensor_bytes += a.size_bytes;
    artifact.bits_per_weight = 8.0 * static_cast<double>(tensor_bytes) / static_cast<double>(model.n_params);
    artifact.peak_memory_bytes = peak_memory_bytes();
    artifact.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (!options.keep_work) job.work.remove();
    return artifact;
}

}  // namespace ech0
