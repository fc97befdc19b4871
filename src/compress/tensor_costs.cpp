#include "compress/tensor_costs.h"

#include <fmt/format.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "compress/rounding.h"
#include "plan/candidates.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

using nlohmann::json;

// Types outside these multiples of the target never won a place in a plan of ours (docs/results.md).
constexpr double least_share = 0.6, most_share = 1.8, most_extra_bits = 1.0;

std::vector<ggml_type> types_near(const Tensor& tensor, double target_bits) {
    if (!is_compressible(tensor)) return {static_cast<ggml_type>(tensor.type)};
    std::vector<ggml_type> types =
        candidate_types(tensor, target_bits * least_share, target_bits * most_share + most_extra_bits);
    // Where rows allow few types the window may miss the small ones that make the budget reachable.
    return types.size() > 3 ? types : candidate_types(tensor, 0, 32);
}

/// Errors that an earlier run has measured: {"tensor": {"Q4_K": error}}.
json known_errors(const Workspace& work) {
    const auto text = work.find_text("errors.json");
    return text ? json::parse(*text, nullptr, false) : json::object();
}

}  // namespace

std::vector<TensorCosts> tensor_costs(const Source& source, const std::function<TensorMetric(const Tensor&)>& metric_of,
                                      const FeedbackOptions& options, double target_bits, Workspace& work,
                                      int n_threads, const Progress& progress) {
    const Model& model = source.model();
    json known = known_errors(work);
    if (!known.is_object()) known = json::object();
    std::vector<TensorCosts> costs(model.tensors.size());
    for (size_t i = 0; i < costs.size(); i++) {
        const Tensor& tensor = model.tensors[i];
        costs[i] = {&tensor, types_near(tensor, target_bits), {}};
        for (const ggml_type type : costs[i].types)
            if (ggml_is_quantized(type)) ggml_quantize_init(type);  // not safe to do from several threads
    }
    std::atomic<int64_t> done = 0;
    parallel_for(static_cast<int64_t>(costs.size()), n_threads, [&](int64_t i) {
        TensorCosts& mine = costs[static_cast<size_t>(i)];
        const auto before = known.find(mine.tensor->name);
        std::optional<TensorMetric> metric;  // made when the first error is not known
        for (const ggml_type type : mine.types) {
            check_interrupt();
            const std::string label = type_label(type);
            if (before != known.end() && before->contains(label)) {
                mine.errors.push_back((*before)[label].get<double>());
            } else {
                if (!metric) metric = metric_of(*mine.tensor);
                mine.errors.push_back(local_error(source, *mine.tensor, type, *metric, options));
            }
        }
        source.release(*mine.tensor);
        if (progress && mine.types.size() > 1)
            progress("error of each type", ++done, static_cast<int64_t>(costs.size()));
    });
    for (const TensorCosts& c : costs)
        for (size_t k = 0; k < c.types.size(); k++) known[c.tensor->name][type_label(c.types[k])] = c.errors[k];
    work.put_text("errors.json", known.dump());
    return costs;
}

}  // namespace ech0
