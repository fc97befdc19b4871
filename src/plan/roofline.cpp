#include "plan/roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ech0/error.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

// An interval wider than this says nothing to a person who chooses; narrower than the other, no benchmark repeats.
constexpr double widest = 0.25, narrowest = 0.08;

bool is_embedding(const Tensor& tensor) { return tensor.name == "token_embd.weight"; }
bool is_expert(const Tensor& tensor) { return tensor.name.find("_exps") != std::string::npos; }

/// Share of a tensor that one token meets.
double share_used(const Model& model, const Tensor& tensor) {
    if (is_embedding(tensor) && !model.tied_embeddings) return 0;  // one row
    if (is_expert(tensor) && model.n_expert > 0)
        return static_cast<double>(model.n_expert_used) / static_cast<double>(model.n_expert);
    return 1;
}

Interval around(double value, double half_width) {
    const double half = std::clamp(half_width, narrowest, widest);
    return {value, value * (1 - half), value * (1 + half)};
}

double quantile(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

/// What was published of one machine: how much of its bandwidth generation reached, and floating point operations per
/// second of a prompt; by the published type's bits per weight.
struct Reached {
    double bits = 0, efficiency = 0, flops_per_s = 0;
};

std::vector<Reached> reached_by(const Machine& machine) {
    std::vector<Reached> result;
    for (const PublishedSpeed& p : machine.published) {
        if (p.size_bytes <= 0 || p.n_params <= 0 || machine.read_bytes_per_s <= 0) continue;
        result.push_back({8.0 * static_cast<double>(p.size_bytes) / static_cast<double>(p.n_params),
                          p.tokens_per_s * static_cast<double>(p.size_bytes) / machine.read_bytes_per_s,
                          2.0 * p.prompt_tokens_per_s * static_cast<double>(p.n_params)});
    }
    return result;
}

/// The published case whose type is nearest in bits.
const Reached& nearest(const std::vector<Reached>& cases, double bits) {
    return *std::min_element(cases.begin(), cases.end(), [&](const Reached& a, const Reached& b) {
        return std::abs(std::log(a.bits / bits)) < std::abs(std::log(b.bits / bits));
    });
}

double bits_of(const TokenWork& work) {
    int64_t bytes = 0, weights = 0;
    for (const auto& [type, n] : work.n_weights) {
        weights += n;
        bytes += static_cast<int64_t>(static_cast<double>(n) * type_bits(type) / 8);
    }
    return weights > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(weights) : 16;
}

double n_weights_of(const TokenWork& work) {
    double n = 0;
    for (const auto& [type, count] : work.n_weights) n += static_cast<double>(count);
    return n;
}

/// Efficiencies of every machine with that backend, for a type of about these bits.
std::vector<double> efficiencies(std::span<const Machine> machines, const std::string& backend, double bits) {
    std::vector<double> result;
    for (const Machine& other : machines) {
        if (other.backend != backend) continue;
        const std::vector<Reached> cases = reached_by(other);
        if (!cases.empty() && nearest(cases, bits).efficiency > 0) result.push_back(nearest(cases, bits).efficiency);
    }
    return result;
}

}  // namespace

int64_t TokenWork::total_bytes() const {
    return std::accumulate(weight_bytes.begin(), weight_bytes.end(), kv_bytes,
                           [](int64_t sum, const auto& entry) { return sum + entry.second; });
}

TokenWork weight_work(const Model& model, std::span<const ggml_type> types) {
    TokenWork work;
    for (size_t i = 0; i < model.tensors.size(); i++) {
        const Tensor& tensor = model.tensors[i];
        const double share = share_used(model, tensor);
        const auto bytes =
            static_cast<double>(ggml_row_size(types[i], tensor.n_cols())) * static_cast<double>(tensor.n_rows());
        work.weight_bytes[types[i]] += static_cast<int64_t>(share * bytes);
        // Of a prompt only the last token goes through the output.
        if (tensor.n_rows() > 1 && !is_embedding(tensor) && tensor.name != "output.weight")
            work.n_weights[types[i]] += static_cast<int64_t>(share * static_cast<double>(tensor.n_elements));
    }
    return work;
}

double heads_per_kv_head(const Model& model) {
    return model.n_head_kv[0] > 0 ? static_cast<double>(model.n_head[0]) / static_cast<double>(model.n_head_kv[0]) : 1;
}

TokenWork with_cache(TokenWork work, const Footprint& footprint, double filled, double kv_bits, double heads_per_kv) {
    work.n_nodes = footprint.n_nodes;
    work.kv_bytes = static_cast<int64_t>(filled * static_cast<double>(footprint.kv_bytes));
    work.attention_flops = 2 * heads_per_kv * 8 * static_cast<double>(work.kv_bytes) / kv_bits;
    return work;
}

TokenWork work_of(const Model& model, std::span<const ggml_type> types, const Footprint& footprint,
                  const SessionOptions& session, int64_t n_past) {
    const double filled = session.n_ctx > 0 ? static_cast<double>(n_past) / static_cast<double>(session.n_ctx) : 0;
    const double kv_bits = cache_bits({session.type_k, session.type_v});
    return with_cache(weight_work(model, types), footprint, filled, kv_bits, heads_per_kv_head(model));
}

SpeedEstimate speed_here(const KernelTable& kernels, const Machine& machine, const TokenWork& work,
                         const CacheTypes& cache, double correction, double half_width) {
    double token_s = static_cast<double>(work.n_nodes) * kernels.overhead_s_per_node, prompt_s = 0;
    for (const auto& [type, bytes] : work.weight_bytes)
        if (bytes > 0) token_s += static_cast<double>(bytes) / kernels.speeds.at(type).read_bytes_per_s;
    for (const auto& [type, n] : work.n_weights)
        if (n > 0) prompt_s += 2.0 * static_cast<double>(n) / kernels.speeds.at(type).flops_per_s;
    if (work.attention_flops > 0) {
        // Half of it is keys, half values.
        const double attention_s = work.attention_flops / 2 / kernels.attention_flops_per_s.at(type_by_name(cache.k)) +
                                   work.attention_flops / 2 / kernels.attention_flops_per_s.at(type_by_name(cache.v));
        token_s += attention_s;
        prompt_s += attention_s / 2;  // a prompt meets on average half of what it will have read
    }
    SpeedEstimate estimate;
    estimate.tokens_per_s = around(correction / token_s, half_width);
    estimate.prompt_tokens_per_s = around(correction / prompt_s, widest);
    if (machine.read_bytes_per_s > 0)
        estimate.bound_tokens_per_s = machine.read_bytes_per_s / static_cast<double>(work.total_bytes());
    estimate.source = fmt::format("the engine's kernels timed here, {} threads", kernels.n_threads);
    return estimate;
}

SpeedEstimate speed_described(const Machine& machine, std::span<const Machine> others, const TokenWork& work) {
    SpeedEstimate estimate;
    if (machine.read_bytes_per_s <= 0) {
        estimate.source = "the memory's speed is not known: --bandwidth says it";
        return estimate;
    }
    estimate.bound_tokens_per_s = machine.read_bytes_per_s / static_cast<double>(work.total_bytes());
    const double bits = bits_of(work);
    std::vector<Reached> own = reached_by(machine);
    if (!own.empty()) {
        const Reached& known = nearest(own, bits);
        // Another type than the published one reaches another share; how much other is what its own figures spread.
        std::vector<double> spread;
        for (const Reached& r : own) spread.push_back(std::abs(std::log(r.efficiency / known.efficiency)));
        estimate.tokens_per_s = around(estimate.bound_tokens_per_s * known.efficiency,
                                       0.1 + *std::max_element(spread.begin(), spread.end()));
        if (known.flops_per_s > 0)
            estimate.prompt_tokens_per_s = around(known.flops_per_s / (2 * n_weights_of(work)), widest);
        estimate.source = "published for this machine: " + machine.published.front().source;
        return estimate;
    }
    const std::vector<double> elsewhere = efficiencies(others, machine.backend, bits);
    if (elsewhere.empty()) {
        estimate.source = fmt::format("nothing is published for {} machines: only the bound is known", machine.backend);
        return estimate;
    }
    const double efficiency = quantile(elsewhere, 0.5);
    estimate.tokens_per_s = around(estimate.bound_tokens_per_s * efficiency,
                                   (quantile(elsewhere, 0.95) - quantile(elsewhere, 0.05)) / (2 * efficiency));
    estimate.source =
        fmt::format("share of bandwidth that {} other {} machines reach", elsewhere.size(), machine.backend);
    return estimate;
}

}  // namespace ech0
