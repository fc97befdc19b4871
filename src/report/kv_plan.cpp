#include "report/kv_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "report/figures.h"
#include "report/table.h"

namespace ech0 {
namespace {

std::string mark(const KvPlan& plan, size_t i) {
    if (plan.chosen && *plan.chosen == i) return "->";
    return plan.pairs[i].on_front ? "*" : "";
}

std::string kl_text(const KvPair& pair) {
    if (pair.types == CacheTypes{}) return "0, by definition";
    const Estimate worst = pair.worst();
    return nats_text(worst.mean) + " " + nats_interval(worst.low, worst.high);
}

std::string top1_text(const KvPair& pair) {
    if (pair.top1_by_depth.empty()) return "";
    return percent_text(*std::min_element(pair.top1_by_depth.begin(), pair.top1_by_depth.end()));
}

Table::Tone tone_of(const KvPlan& plan, size_t i) {
    if (plan.chosen && *plan.chosen == i) return Table::Tone::strong;
    return plan.pairs[i].on_front ? Table::Tone::plain : Table::Tone::faint;
}

Table pairs_table(const KvPlan& plan, bool all) {
    using Align = Table::Align;
    std::vector<Table::Column> columns = {{""},
                                          {"keys/values"},
                                          {"cache", Align::right},
                                          {"with buffers", Align::right},
                                          {"measured", Align::right},
                                          {"KL at the worst depth"},
                                          {"same likeliest", Align::right}};
    for (const int64_t depth : plan.depths) columns.push_back({"after " + format_count(depth), Align::right});
    columns.push_back({"known by"});
    Table table(columns);
    for (size_t i = 0; i < plan.pairs.size(); i++) {
        const KvPair& pair = plan.pairs[i];
        if (!all && !pair.on_front && !(plan.chosen && *plan.chosen == i)) continue;
        std::vector<std::string> cells = {mark(plan, i),
                                          cache_name(pair.types),
                                          format_memory(pair.kv_bytes),
                                          format_memory(pair.predicted_bytes),
                                          pair.measured_bytes ? format_memory(*pair.measured_bytes) : "",
                                          kl_text(pair),
                                          top1_text(pair)};
        for (const Estimate& kl : pair.kl_by_depth) cells.push_back(nats_text(kl.mean));
        cells.emplace_back(pair.measured ? "measured" : "sum of parts");
        table.add(cells, tone_of(plan, i));
    }
    return table;
}

/// A smaller pair that more text might allow.
std::string undecided_text(const KvPlan& plan) {
    const std::optional<size_t> i = undecided_pair(plan.pairs, plan.chosen, plan.most_kl);
    if (!i) return "";
    const Estimate worst = plan.pairs[*i].worst();
    return fmt::format(
        "\n{} is within it too by its mean ({}), but its interval reaches {}: with more text (--texts {}) it "
        "may be known.\n",
        cache_name(plan.pairs[*i].types), nats_text(worst.mean), nats_text(worst.high), 4 * plan.n_texts);
}

std::string choice_text(const KvPlan& plan, const Look& look) {
    if (!plan.chosen)
        return fmt::format("\nNo: no pair smaller than f16 stays within {} nats per token at every depth.\n",
                           nats_text(plan.most_kl));
    const KvPair& pair = plan.pairs[*plan.chosen];
    const KvPair& plain =
        *std::find_if(plan.pairs.begin(), plan.pairs.end(), [](const KvPair& p) { return p.types == CacheTypes{}; });
    return fmt::format(
               "\nTake {}: {} instead of {}, and at every depth at most {} nats per token (of {} allowed) "
               "from what an f16 cache says.\n\n",
               cache_name(pair.types), format_memory(pair.predicted_bytes), format_memory(plain.predicted_bytes),
               nats_text(pair.worst().high), nats_text(plan.most_kl)) +
           command_text(
               fmt::format("ech0 chat {} --ctx {} --kv {}", shell_word(plan.model), plan.n_ctx, cache_name(pair.types)),
               look);
}

Json pair_json(const KvPair& pair) {
    Json means = Json::array(), lows = Json::array(), highs = Json::array();
    for (const Estimate& kl : pair.kl_by_depth) {
        means.push_back(kl.mean);
        lows.push_back(kl.low);
        highs.push_back(kl.high);
    }
    const Estimate worst = pair.worst();
    return {{"type_k", pair.types.k},
            {"type_v", pair.types.v},
            {"kv_bytes", pair.kv_bytes},
            {"predicted_bytes", pair.predicted_bytes},
            {"measured_kv_bytes", pair.measured_kv_bytes ? Json(*pair.measured_kv_bytes) : Json(nullptr)},
            {"measured_bytes", pair.measured_bytes ? Json(*pair.measured_bytes) : Json(nullptr)},
            {"kl_divergence", worst.mean},
            {"low", worst.low},
            {"high", worst.high},
            {"kl_by_depth", means},
            {"low_by_depth", lows},
            {"high_by_depth", highs},
            {"top1_by_depth", pair.top1_by_depth},
            {"measured", pair.measured},
            {"on_front", pair.on_front}};
}

KvPair read_pair(const Json& json) {
    KvPair pair;
    json.at("type_k").get_to(pair.types.k);
    json.at("type_v").get_to(pair.types.v);
    json.at("kv_bytes").get_to(pair.kv_bytes);
    json.at("predicted_bytes").get_to(pair.predicted_bytes);
    if (!json.at("measured_kv_bytes").is_null()) pair.measured_kv_bytes = json.at("measured_kv_bytes").get<int64_t>();
    if (!json.at("measured_bytes").is_null()) pair.measured_bytes = json.at("measured_bytes").get<int64_t>();
    const Json &means = json.at("kl_by_depth"), &lows = json.at("low_by_depth"), &highs = json.at("high_by_depth");
    if (means.empty() || lows.size() != means.size() || highs.size() != means.size())
        throw FormatError(fmt::format("kl_by_depth has {} entries, low_by_depth {}, high_by_depth {}: wanted as many",
                                      means.size(), lows.size(), highs.size()));
    for (size_t d = 0; d < means.size(); d++) pair.kl_by_depth.push_back({means[d], lows[d], highs[d]});
    json.at("top1_by_depth").get_to(pair.top1_by_depth);
    json.at("measured").get_to(pair.measured);
    json.at("on_front").get_to(pair.on_front);
    return pair;
}

}  // namespace

std::string kv_plan_text(const KvPlan& plan, bool all, const Look& look) {
    std::string text = heading_text(
        fmt::format("KV cache of {}, {} tokens of context", printable(plan.model, 400), format_count(plan.n_ctx)),
        look);
    text += fmt::format(
        "\n{} tokens judged after {} of context each, in {} stretches of {} (-> recommended, * nothing is both smaller "
        "and closer)\n\n",
        format_count(plan.n_judged),
        plan.depths.size() == 1 ? "one length" : fmt::format("{} lengths", plan.depths.size()), plan.n_texts,
        printable(plan.text, 400));
    text += pairs_table(plan, all).text(look);
    const int64_t n_predicted =
        std::count_if(plan.pairs.begin(), plan.pairs.end(), [](const KvPair& pair) { return !pair.measured; });
    if (n_predicted > 0)
        text += fmt::format(
            "\n{} of {} pairs were run; {} are predicted to be no better (what keys and values lose "
            "alone, added){}\n",
            static_cast<int64_t>(plan.pairs.size()) - n_predicted, plan.pairs.size(), n_predicted,
            all ? "" : "; --all lists them");
    if (!plan.refused.empty())
        text += fmt::format("\n{} pairs are not possible: {}: {}\n", plan.refused.size(), plan.refused.front().pair,
                            printable(plan.refused.front().why, 400));
    return text + choice_text(plan, look) + undecided_text(plan);
}

Json kv_plan_json(const KvPlan& plan) {
    Json pairs = Json::array(), refused = Json::array();
    for (const KvPair& pair : plan.pairs) pairs.push_back(pair_json(pair));
    for (const KvRefusal& refusal : plan.refused) refused.push_back({{"pair", refusal.pair}, {"why", refusal.why}});
    return {{"schema", "ech0.kv.plan/1"},
            {"model", plan.model},
            {"model_sha256", plan.model_sha256},
            {"text", plan.text},
            {"text_sha256", plan.text_sha256},
            {"engine", plan.engine},
            {"machine", plan.machine},
            {"n_ctx", plan.n_ctx},
            {"n_texts", plan.n_texts},
            {"depths", plan.depths},
            {"n_judged", plan.n_judged},
            {"most_kl", plan.most_kl},
            {"pairs", pairs},
            {"chosen", plan.chosen ? Json(cache_name(plan.pairs[*plan.chosen].types)) : Json(nullptr)},
            {"refused", refused},
            {"seconds", plan.seconds}};
}

KvPlan kv_plan_from_json(const Json& json) {
    return from_json("ech0.kv.plan/1", json, [&] {
        KvPlan plan;
        json.at("model").get_to(plan.model);
        json.at("model_sha256").get_to(plan.model_sha256);
        json.at("text").get_to(plan.text);
        json.at("text_sha256").get_to(plan.text_sha256);
        json.at("engine").get_to(plan.engine);
        json.at("machine").get_to(plan.machine);
        json.at("n_ctx").get_to(plan.n_ctx);
        json.at("n_texts").get_to(plan.n_texts);
        json.at("depths").get_to(plan.depths);
        json.at("n_judged").get_to(plan.n_judged);
        json.at("most_kl").get_to(plan.most_kl);
        bool has_plain = false;
        for (const Json& pair : json.at("pairs")) {
            plan.pairs.push_back(read_pair(pair));
            has_plain = has_plain || plan.pairs.back().types == CacheTypes{};
            if (json.at("chosen") == cache_name(plan.pairs.back().types)) plan.chosen = plan.pairs.size() - 1;
        }
        if (!has_plain) throw FormatError("pairs has no f16, which the others are compared with");
        for (const Json& refusal : json.at("refused")) plan.refused.push_back({refusal.at("pair"), refusal.at("why")});
        json.at("seconds").get_to(plan.seconds);
        return plan;
    });
}

}  // namespace ech0
