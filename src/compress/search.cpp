#include "compress/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "compress/judge.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

// A lever makes a group of tensors count this much more (or less) than predicted: about one type's worth of bits.
constexpr double lever_factor = 1.8;

struct Lever {
    std::string name;
    std::vector<double> scale;  // per tensor
};

/// A plan that was measured: what it chose, and KL per position.
struct Measured {
    std::vector<double> scale;
    std::vector<int32_t> choice;
    std::vector<double> kl;
    double mean = 0;
};

std::vector<std::vector<Option>> options_for(const SearchProblem& p, const std::vector<double>& scale) {
    std::vector<std::vector<Option>> options(p.costs.size());
    for (size_t i = 0; i < options.size(); i++) {
        const TensorCosts& c = p.costs[i];
        for (size_t k = 0; k < c.types.size(); k++) {
            const auto bytes = static_cast<int64_t>(ggml_row_size(c.types[k], c.tensor->n_cols())) * c.tensor->n_rows();
            options[i].push_back(
                {(bytes + p.alignment - 1) / p.alignment * p.alignment, scale[i] * p.gains[i] * c.errors[k]});
        }
    }
    return options;
}

Measured solve_and_measure(const SearchProblem& p, std::vector<double> scale,
                           std::map<std::vector<int32_t>, std::vector<double>>& memory) {
    Measured m;
    m.choice = solve(options_for(p, scale), p.budget_bytes);
    m.scale = std::move(scale);
    const auto known = memory.find(m.choice);
    m.kl = known != memory.end() ? known->second : memory.emplace(m.choice, p.measure(m.choice)).first->second;
    m.mean = mean_of(m.kl);
    return m;
}

/// The tensor's depth, -1 … 1 from the first layer to the last; 0 outside the layers.
std::vector<double> depths(const std::vector<TensorCosts>& costs) {
    std::vector<double> depth(costs.size(), 0.0);
    double last = 1;
    const auto layer = [](const std::string& name) {
        return name.starts_with("blk.") ? std::stod(name.substr(4)) : -1;
    };
    for (const TensorCosts& c : costs) last = std::max(last, layer(c.tensor->name));
    for (size_t i = 0; i < costs.size(); i++)
        if (const double l = layer(costs[i].tensor->name); l >= 0) depth[i] = 2 * l / last - 1;
    return depth;
}

/// Ways in which the prediction may be wrong; `exponent` is +1 or -1.
std::vector<Lever> levers(const SearchProblem& p) {
    std::vector<Lever> all;
    const size_t n = p.costs.size();
    std::set<std::string> kinds;
    for (const TensorCosts& c : p.costs)
        if (c.types.size() > 1) kinds.insert(kind_of(c.tensor->name));
    const auto add = [&](const std::string& name, const std::function<double(size_t)>& exponent) {
        Lever lever{name, std::vector<double>(n)};
        for (size_t i = 0; i < n; i++) lever.scale[i] = std::pow(lever_factor, exponent(i));
        all.push_back(std::move(lever));
    };
    for (const std::string& kind : kinds)
        add(kind, [&](size_t i) { return kind_of(p.costs[i].tensor->name) == kind ? 1.0 : 0.0; });
    const std::vector<double> depth = depths(p.costs);
    add("late layers", [&](size_t i) { return depth[i]; });
    add("both ends", [&](size_t i) { return 2 * std::abs(depth[i]) - 1; });
    return all;
}

std::vector<double> scaled(const std::vector<double>& scale, const Lever& lever, bool up) {
    std::vector<double> result = scale;
    for (size_t i = 0; i < result.size(); i++) result[i] = up ? result[i] * lever.scale[i] : result[i] / lever.scale[i];
    return result;
}

}  // namespace

std::string kind_of(const std::string& tensor) {
    const size_t begin = tensor.starts_with("blk.") ? tensor.find('.', 4) + 1 : 0;
    const size_t end = tensor.rfind('.');
    return tensor.substr(begin, end == std::string::npos || end < begin ? std::string::npos : end - begin);
}

SearchResult search_plan(const SearchProblem& p) {
    std::map<std::vector<int32_t>, std::vector<double>> memory;
    SearchResult result;
    const std::vector<std::vector<Option>> plain = options_for(p, std::vector<double>(p.costs.size(), 1.0));
    const auto predicted = [&](const std::vector<int32_t>& choice) {
        double kl = 0;
        for (size_t i = 0; i < plain.size(); i++) kl += plain[i][static_cast<size_t>(choice[i])].loss;
        return kl;
    };
    if (!p.measure) {
        result.choice = solve(plain, p.budget_bytes);
        result.predicted_kl = predicted(result.choice);
        return result;
    }
    Measured best = solve_and_measure(p, std::vector<double>(p.costs.size(), 1.0), memory);
    result.tried.push_back({"predicted optimum", true, best.mean});
    const std::vector<Lever> all = levers(p);
    const auto total = static_cast<int64_t>(all.size() * 2) * p.rounds;
    int64_t done = 0;
    for (int round = 0; round < p.rounds; round++) {
        bool improved = false;
        for (const Lever& lever : all) {
            for (const bool up : {true, false}) {
                if (p.progress) p.progress("try plans", done++, total);
                const Measured trial = solve_and_measure(p, scaled(best.scale, lever, up), memory);
                if (trial.choice == best.choice) continue;
                const bool keep = paired_score(trial.kl, best.kl) < -1;
                result.tried.push_back(
                    {fmt::format("{} count {}", lever.name, up ? "more" : "less"), keep, trial.mean});
                if (!keep) continue;
                best = trial;
                improved = true;
                break;  // the other direction would undo it
            }
        }
        if (!improved) break;
    }
    result.choice = best.choice;
    result.measured_kl = best.mean;
    result.predicted_kl = predicted(best.choice);
    return result;
}

}  // namespace ech0
