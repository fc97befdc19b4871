#include "report/compress.h"

#include <fmt/format.h>

#include <map>

#include "ech0/units.h"

namespace ech0 {
namespace {

Json tried_json(const Plan& plan) {
    Json tried = Json::array();
    for (const Trial& t : plan.tried)
        tried.push_back({{"lever", t.lever}, {"kept", t.kept}, {"kl_divergence", t.kl_divergence}});
    return tried;
}

struct TypeSum {
    int64_t n_tensors = 0, size_bytes = 0;
};

Plan read_plan(const Json& json) {
    Plan plan;
    json.at("budget_bytes").get_to(plan.budget_bytes);
    json.at("selection_kl_divergence").get_to(plan.measured_kl);
    json.at("predicted_kl_divergence").get_to(plan.predicted_kl);
    for (const Json& t : json.at("tensors"))
        plan.tensors.push_back({.tensor = t.at("name"),
                                .type_name = t.at("type"),
                                .size_bytes = t.at("size_bytes"),
                                .error = t.at("error"),
                                .predicted_kl = t.at("predicted_kl_divergence")});
    for (const Json& t : json.at("tried")) plan.tried.push_back({t.at("lever"), t.at("kept"), t.at("kl_divergence")});
    return plan;
}

}  // namespace

Table types_table(const Plan& plan) {
    std::map<std::string, TypeSum> types;
    for (const Assignment& a : plan.tensors)
        types[a.type_name].n_tensors++, types[a.type_name].size_bytes += a.size_bytes;
    Table table({{"type"}, {"tensors", Table::Align::right}, {"size", Table::Align::right}});
    for (const auto& [name, sum] : types)
        table.add({name, fmt::format("{}", sum.n_tensors), format_disk(sum.size_bytes)});
    return table;
}

Artifact artifact_from_json(const Json& json) {
    return from_json("ech0.compress/1", json, [&] {
        Artifact artifact;
        json.at("source").at("path").get_to(artifact.source_path);
        json.at("source").at("sha256").get_to(artifact.source_sha256);
        json.at("output").at("path").get_to(artifact.path);
        json.at("output").at("size_bytes").get_to(artifact.size_bytes);
        json.at("output").at("sha256").get_to(artifact.sha256);
        json.at("output").at("bits_per_weight").get_to(artifact.bits_per_weight);
        json.at("seconds").get_to(artifact.seconds);
        json.at("peak_memory_bytes").get_to(artifact.peak_memory_bytes);
        json.at("predicted_peak_memory_bytes").get_to(artifact.predicted_peak_memory_bytes);
        json.at("moment_columns").get_to(artifact.moment_columns);
        artifact.plan = read_plan(json);
        return artifact;
    });
}

Json compress_json(const Artifact& artifact) {
    Json tensors = Json::array();
    for (const Assignment& a : artifact.plan.tensors)
        tensors.push_back({{"name", a.tensor},
                           {"type", a.type_name},
                           {"size_bytes", a.size_bytes},
                           {"error", a.error},
                           {"predicted_kl_divergence", a.predicted_kl}});
    return {{"schema", "ech0.compress/1"},
            {"source", {{"path", artifact.source_path}, {"sha256", artifact.source_sha256}}},
            {"output",
             {{"path", artifact.path},
              {"size_bytes", artifact.size_bytes},
              {"sha256", artifact.sha256},
              {"bits_per_weight", artifact.bits_per_weight}}},
            {"budget_bytes", artifact.plan.budget_bytes},
            {"selection_kl_divergence", artifact.plan.measured_kl},
            {"predicted_kl_divergence", artifact.plan.predicted_kl},
            {"tensors", std::move(tensors)},
            {"tried", tried_json(artifact.plan)},
            {"seconds", artifact.seconds},
            {"peak_memory_bytes", artifact.peak_memory_bytes},
            {"predicted_peak_memory_bytes", artifact.predicted_peak_memory_bytes},
            {"moment_columns", artifact.moment_columns},
            {"ways", Json::array()},  // of a run that weighed pruning too
            {"verdict", nullptr}};
}

std::string compress_text(const Artifact& artifact, const Look& look) {
    const Plan& plan = artifact.plan;
    std::string text = fmt::format("{}: {}", artifact.path, format_disk(artifact.size_bytes));
    if (plan.budget_bytes > 0)  // not with one type for all
        text += fmt::format(" of {} allowed ({:.2f} %)", format_disk(plan.budget_bytes),
                            100.0 * static_cast<double>(artifact.size_bytes) / static_cast<double>(plan.budget_bytes));
    text += fmt::format(", {:.3f} bits per weight\n\n", artifact.bits_per_weight);
    text += types_table(plan).text(look);
    text += fmt::format("\nKL divergence to the original on text held out from the statistics: {:.4f} nats per token",
                        plan.measured_kl);
    text += plan.predicted_kl > 0 ? fmt::format(" (predicted {:.4f})\n", plan.predicted_kl) : "\n";
    for (const Trial& t : plan.tried)
        text += t.kl_divergence > 0
                    ? fmt::format("  {:<64} {:.4f}{}\n", t.lever, t.kl_divergence, t.kept ? "  kept" : "")
                    : fmt::format("  {}\n", t.lever);
    text += fmt::format("Made in {}, {} of memory at most ({} expected).\n", format_duration(artifact.seconds),
                        format_memory(artifact.peak_memory_bytes), format_memory(artifact.predicted_peak_memory_bytes));
    text += fmt::format("Next: ech0 verify {} {}\n", artifact.source_path, artifact.path);
    return text;
}

}  // namespace ech0
