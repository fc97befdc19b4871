#include "report/kv_keep.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/units.h"
#include "report/table.h"

namespace ech0 {
namespace {

std::string facts_found(int64_t n_preferred, int64_t n_hits, int64_t n_facts) {
    return fmt::format("{} ({} word for word) of {}", n_preferred, n_hits, n_facts);
}

std::string verdict(const KeepReport& report) {
    const KeepResult* best = nullptr;
    for (const KeepResult& result : report.results)
        if (result.holds && (best == nullptr || result.n_keep < best->n_keep)) best = &result;
    const std::string bar = fmt::format("(KL divergence at most {}, at most {:.0f} % of the facts lost)",
                                        report.most_kl, 100 * report.most_lost);
    if (best == nullptr)
        return fmt::format(
            "None of these holds {}: this model needs all of its {} tokens.\nSmaller caches: ech0 kv plan "
            "{} --ctx {}\n",
            bar, report.n_ctx, printable(shell_word(report.model), 4000), report.n_ctx);
    return fmt::format("{} of {} tokens hold, chosen as '{}' {}.\nUse it: ech0 chat {} --ctx {} --kv-keep {}\n",
                       best->n_keep, report.n_ctx, keep_policy_name(best->policy), bar,
                       printable(shell_word(report.model), 4000), report.n_ctx, best->n_keep);
}

Json to_json(const Estimate& estimate) {
    return {{"mean", estimate.mean}, {"low", estimate.low}, {"high", estimate.high}};
}

}  // namespace

std::string kv_keep_text(const KeepReport& report, const Look& look) {
    using Align = Table::Align;
    Table table({{"keep", Align::right},
                 {"which"},
                 {"KL", Align::right},
                 {"95 %"},
                 {"same top", Align::right},
                 {"facts found"},
                 {"holds"}});
    table.add({std::to_string(report.n_ctx), "all", "0", "", "100 %",
               facts_found(report.n_preferred, report.n_hits, report.n_facts), ""});
    for (const KeepResult& r : report.results)
        table.add({std::to_string(r.n_keep), std::string(keep_policy_name(r.policy)),
                   fmt::format("{:.4f}", r.kl_divergence.mean),
                   fmt::format("{:.4f}-{:.4f}", r.kl_divergence.low, r.kl_divergence.high),
                   fmt::format("{:.1f} %", 100 * r.top1_agreement.mean),
                   facts_found(r.n_preferred, r.n_hits, r.n_facts), r.holds ? "yes" : "no"});
    return fmt::format("{} tokens of context, {} read through it, {} texts, {} tokens judged after each; {}\n\n{}\n{}",
                       report.n_ctx, report.n_read, report.n_texts, report.n_next, format_duration(report.seconds),
                       table.text(look), verdict(report));
}

Json kv_keep_json(const KeepReport& report) {
    Json results = Json::array();
    for (const KeepResult& r : report.results)
        results.push_back({{"policy", keep_policy_name(r.policy)},
                           {"n_keep", r.n_keep},
                           {"kl_divergence", to_json(r.kl_divergence)},
                           {"top1_agreement", to_json(r.top1_agreement)},
                           {"n_hits", r.n_hits},
                           {"n_preferred", r.n_preferred},
                           {"holds", r.holds}});
    return {{"schema", "ech0.kv.keep/1"},
            {"model", report.model},
            {"text_sha256", report.text_sha256},
            {"engine", report.engine},
            {"n_ctx", report.n_ctx},
            {"n_read", report.n_read},
            {"n_texts", report.n_texts},
            {"n_next", report.n_next},
            {"n_facts", report.n_facts},
            {"n_hits", report.n_hits},
            {"n_preferred", report.n_preferred},
            {"most_kl", report.most_kl},
            {"most_lost", report.most_lost},
            {"results", results},
            {"seconds", report.seconds}};
}

}  // namespace ech0
