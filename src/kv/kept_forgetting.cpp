#include "kv/kept_forgetting.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ech0/error.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A full context is written out and searched each time: an eighth of it must come free by that.
constexpr int64_t least_share_free = 8;

fs::path file_of(const Model& model, int64_t n_ctx, const Progress& progress) {
    return cache_folder() / "kv-keeps" / cached_sha256_of_file(model.files.front(), progress) /
           (std::to_string(n_ctx) + ".json");
}

KeepPolicy policy_by_name(const std::string& name) {
    for (const KeepPolicy policy : {KeepPolicy::recent, KeepPolicy::expected})
        if (keep_policy_name(policy) == name) return policy;
    throw FormatError(name + ": no way of choosing tokens");
}

/// Nothing if it is damaged or of another engine: then it must be measured again.
std::optional<std::vector<KeepResult>> read_results(const fs::path& file) {
    try {
        const json kept = json::parse(read_file(file));
        if (kept.at("engine") != engine_description()) return std::nullopt;
        std::vector<KeepResult> results;
        for (const json& r : kept.at("results")) {
            KeepResult& result = results.emplace_back();
            result.policy = policy_by_name(r.at("policy"));
            result.n_keep = r.at("n_keep");
            result.kl_divergence.mean = r.at("kl_divergence");
            result.n_facts = r.at("n_facts");
            result.n_preferred = r.at("n_preferred");
            result.holds = r.at("holds");
        }
        return results;
    } catch (const json::exception&) {
    } catch (const Error&) {}
    return std::nullopt;
}

bool is_closer(const KeepResult& a, const KeepResult& b) { return a.kl_divergence.mean < b.kl_divergence.mean; }

[[noreturn]] void refuse(const Model& model, int64_t n_ctx, int64_t n_keep, const std::vector<KeepResult>& results) {
    std::vector<KeepResult> as_asked;
    std::copy_if(results.begin(), results.end(), std::back_inserter(as_asked),
                 [&](const KeepResult& r) { return r.n_keep == n_keep; });
    if (as_asked.empty())
        throw UsageError(
            fmt::format("--kv-keep {}: what forgetting down to {} of {} tokens costs this model was not measured: "
                        "'ech0 kv keep {} --ctx {} --keep {}'",
                        n_keep, n_keep, n_ctx, printable(shell_word(model.asked), 4000), n_ctx, n_keep));
    const KeepResult best = *std::min_element(as_asked.begin(), as_asked.end(), is_closer);
    throw UsageError(
        fmt::format("--kv-keep {}: it does not hold with this model and {} tokens of context (measured: KL divergence "
                    "{:.3f}, {} of {} facts preferred): keep more, or leave it out",
                    n_keep, n_ctx, best.kl_divergence.mean, best.n_preferred, best.n_facts));
}

}  // namespace

void keep(const KeepReport& report, const Model& model) {
    json results = json::array();
    for (const KeepResult& r : report.results)
        results.push_back({{"policy", keep_policy_name(r.policy)},
                           {"n_keep", r.n_keep},
                           {"kl_divergence", r.kl_divergence.mean},
                           {"n_facts", r.n_facts},
                           {"n_preferred", r.n_preferred},
                           {"holds", r.holds}});
    const fs::path file = file_of(model, report.n_ctx, {});
    std::error_code failure;
    fs::create_directories(file.parent_path(), failure);
    write_file(file, json({{"engine", report.engine}, {"results", results}}).dump(1) + "\n");
}

KeepOptions measured_keeping(const Model& model, int64_t n_ctx, int64_t n_keep, const Progress& progress) {
    if (n_keep > n_ctx - n_ctx / least_share_free)
        throw UsageError(fmt::format("--kv-keep {}: at most {} of {} tokens, so that an eighth is free afterwards",
                                     n_keep, n_ctx - n_ctx / least_share_free, n_ctx));
    const std::vector<KeepResult> all =
        read_results(file_of(model, n_ctx, progress)).value_or(std::vector<KeepResult>{});
    std::vector<KeepResult> holding;
    std::copy_if(all.begin(), all.end(), std::back_inserter(holding),
                 [&](const KeepResult& r) { return r.holds && r.n_keep <= n_keep; });
    if (holding.empty()) refuse(model, n_ctx, n_keep, all);
    KeepOptions options;
    options.n_keep = n_keep;
    options.policy = std::min_element(holding.begin(), holding.end(), is_closer)->policy;
    return options;
}

}  // namespace ech0
