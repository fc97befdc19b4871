#include "report/surgeon.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "report/table.h"

namespace ech0 {
namespace {

struct Tally {
    int64_t confirmed = 0, wrong = 0, unsupported = 0;
};

Tally tally_of(const std::vector<Opinion>& opinions) {
    Tally tally;
    for (const Opinion& o : opinions)
        for (const Claim& c : o.claims)
            (c.finding == Finding::confirmed ? tally.confirmed
             : c.finding == Finding::wrong   ? tally.wrong
                                             : tally.unsupported)++;
    return tally;
}

const char* not_measured =
    "not measured: ech0 compress MODEL --size SIZE --allow-prune --json > RUN.json, then --with RUN.json";

/// Each claim once, and how often it was made.
std::string claims_text(const Opinion& o) {
    std::string text;
    for (auto at = o.claims.begin(); at != o.claims.end(); ++at) {
        const auto same = [&](const Claim& c) { return c.fact == at->fact && c.number == at->number; };
        if (std::any_of(o.claims.begin(), at, same)) continue;
        const auto n = std::count_if(at, o.claims.end(), same);
        text += fmt::format("- {} {}: **{}**{}\n", printable(at->number, 40),
                            at->fact.empty() ? "(in words)" : "`" + at->fact + "`", finding_name(at->finding),
                            n > 1 ? fmt::format(", {} times", n) : "");
    }
    return text;
}

}  // namespace

Json surgeon_json(const Brief& brief, const std::string& analyst, const std::vector<Opinion>& opinions,
                  const std::string& verdict) {
    Json facts = Json::array(), answers = Json::array();
    for (const Fact& f : brief.facts)
        facts.push_back({{"name", f.name}, {"value", f.value}, {"says", f.says}, {"grade", f.grade}});
    for (const Opinion& o : opinions) {
        Json claims = Json::array();
        for (const Claim& c : o.claims)
            claims.push_back({{"fact", c.fact.empty() ? Json(nullptr) : Json(c.fact)},
                              {"number", c.number},
                              {"finding", finding_name(c.finding)}});
        answers.push_back({{"title", o.title},
                           {"question", o.question},
                           {"answer", o.answer},
                           {"complete", o.complete},
                           {"claims", std::move(claims)}});
    }
    const Tally tally = tally_of(opinions);
    return {{"schema", "ech0.surgeon/1"},
            {"model", brief.model},
            {"analyst", analyst},
            {"facts", std::move(facts)},
            {"opinions", std::move(answers)},
            {"claims", {{"confirmed", tally.confirmed}, {"wrong", tally.wrong}, {"unsupported", tally.unsupported}}},
            {"verdict", verdict.empty() ? Json(nullptr) : Json(verdict)}};
}

std::string surgeon_markdown(const Brief& brief, const std::string& analyst, const std::vector<Opinion>& opinions,
                             const std::string& verdict) {
    std::string text = fmt::format("# {} on the table\n\nMeasured verdict: {}\n\n", printable(brief.model),
                                   verdict.empty() ? not_measured : printable(verdict, 500));
    Table table({{"fact"}, {"value", Table::Align::right}, {"in words"}, {"grade"}});
    for (const Fact& f : brief.facts) table.add({f.name, value_text(f), f.says, f.grade});
    text += "## The facts\n\n" + table.markdown();
    const Tally tally = tally_of(opinions);
    text += fmt::format(
        "\n## The opinion of {}\n\nA model's words, not ours; nothing of them enters a plan. Numbers in them: {} "
        "confirmed, {} wrong, {} without a fact behind them.\n",
        printable(analyst), tally.confirmed, tally.wrong, tally.unsupported);
    for (const Opinion& o : opinions)
        text += fmt::format("\n### {}\n\n*{}*\n\n{}{}\n\n{}", o.title, o.question, printable(o.answer, 4000),
                            o.complete ? "" : " … (the answer broke off)", claims_text(o));
    return text;
}

}  // namespace ech0
