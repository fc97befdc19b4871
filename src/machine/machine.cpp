#include "ech0/machine.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "base/nearest.h"
#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"

namespace ech0 {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

// The slowest memory a model was ever run from is that of small single boards, some GB/s; the fastest, stacks on the
// cards of data centres, some 10^13 B/s. What lies far outside was meant in another unit.
constexpr double least_bytes_per_s = 1e8, most_bytes_per_s = 1e14;

void check_bandwidth(double bytes_per_s) {
    if (bytes_per_s >= least_bytes_per_s && bytes_per_s <= most_bytes_per_s) return;
    throw UsageError(
        fmt::format("--bandwidth {:.4g} bytes per second: no memory is like that, it would be from 0.1 GB to "
                    "100000 GB; write it with its unit, as 120GB",
                    bytes_per_s));
}

void check_budget(const Machine& machine, int64_t budget_bytes) {
    if (budget_bytes < 0) throw UsageError(fmt::format("--memory {} bytes: it can't be negative", budget_bytes));
    if (machine.memory_total_bytes == 0 || budget_bytes <= machine.memory_total_bytes) return;
    throw UsageError(fmt::format("--memory {}: {} has {} in all; name a machine with more by --machine",
                                 format_memory(budget_bytes), machine.is_this ? "this machine" : machine.name,
                                 format_memory(machine.memory_total_bytes)));
}

[[noreturn]] void refuse_name(std::string_view name, const std::vector<Machine>& profiles) {
    std::vector<std::string> names = {"this"};
    for (const Machine& machine : profiles) {
        names.push_back(machine.name);
        names.insert(names.end(), machine.aliases.begin(), machine.aliases.end());
    }
    const std::string meant = nearest(lower(name), names);
    throw UsageError(
        fmt::format("no machine '{}'; {}", printable(name),
                    meant.empty() ? "see 'ech0 doctor --profiles'" : fmt::format("did you mean '{}'?", meant)));
}

}  // namespace

std::string_view grade_name(Grade grade) {
    switch (grade) {
        case Grade::measured: return "measured";
        case Grade::published: return "published";
        case Grade::predicted: return "predicted";
        case Grade::given: return "given";
    }
    return "";
}

Grade grade_by_name(std::string_view name) {
    for (const Grade grade : {Grade::measured, Grade::published, Grade::predicted, Grade::given})
        if (grade_name(grade) == name) return grade;
    throw FormatError(fmt::format("no grade '{}'; there are measured, published, predicted, given", printable(name)));
}

Machine find_machine(std::string_view name) {
    const std::string wanted = lower(name);
    if (wanted == "this") return probe_machine();
    const std::vector<Machine> profiles = machine_profiles();
    const auto named = std::find_if(profiles.begin(), profiles.end(),
                                    [&](const Machine& machine) { return lower(machine.name) == wanted; });
    if (named != profiles.end()) return *named;
    for (const Machine& machine : profiles) {
        for (const std::string& alias : machine.aliases)
            if (lower(alias) == wanted) return machine;
    }
    refuse_name(name, profiles);
}

Machine with_overrides(Machine machine, int64_t model_budget_bytes, double read_bytes_per_s) {
    if (model_budget_bytes != 0) {
        check_budget(machine, model_budget_bytes);
        machine.model_budget_bytes = model_budget_bytes;
        machine.budget_source = fmt::format("--memory {}", format_memory(model_budget_bytes));
        machine.budget_grade = Grade::given;
    }
    if (read_bytes_per_s != 0) {
        check_bandwidth(read_bytes_per_s);
        machine.read_bytes_per_s = read_bytes_per_s;
        machine.read_source = fmt::format("--bandwidth {:.1f} GB/s", read_bytes_per_s / 1e9);
        machine.read_grade = Grade::given;
        machine.published.clear();  // speeds of a machine with other memory
    }
    return machine;
}

}  // namespace ech0
