#include "report/run_difference.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "base/text.h"
#include "report/figures.h"
#include "report/table.h"
#include "report/verify.h"

namespace ech0 {
namespace {

std::string file_name(const Measured& file) { return printable(std::filesystem::path(file.path).filename().string()); }

void add_candidates(Table& table, const char* report, const Evidence& evidence) {
    for (const Candidate& c : evidence.candidates)
        table.add({report, file_name(c), nats_text(c.kl_divergence.mean),
                   nats_interval(c.kl_divergence.low, c.kl_divergence.high), percent_text(c.top1_agreement.mean),
                   fmt::format("{:.3f}", c.perplexity)});
}

/// Means with intervals of independent measurements: their half-widths add as squares.
Estimate difference(const Distribution& a, const Distribution& b) {
    const double mean = a.mean - b.mean;
    const double half = std::hypot((a.high - a.low) / 2, (b.high - b.low) / 2);
    return {mean, mean - half, mean + half};
}

std::string pair_text(const Candidate& a, const Candidate& b) {
    if (a.sha256 == b.sha256)
        return fmt::format("{}: the same file, KL {} and {}", file_name(a), nats_text(a.kl_divergence.mean),
                           nats_text(b.kl_divergence.mean));
    const Estimate d = difference(a.kl_divergence, b.kl_divergence);
    const std::string verdict = d.low > 0    ? "the second is closer to the original"
                                : d.high < 0 ? "the first is closer to the original"
                                             : "no difference shown";
    return fmt::format("{} minus {}: {} {}: {}", file_name(a), file_name(b), nats_text(d.mean),
                       nats_interval(d.low, d.high), verdict);
}

}  // namespace

std::optional<Evidence> evidence_of(const Json& run) {
    const std::string schema = run.at("schema").get<std::string>();
    if (schema == "ech0.verify/1") return evidence_from_json(run);
    if (schema == "ech0.optimize/1") return evidence_from_json(run.at("verify"));
    if (schema == "ech0.demo/1") return evidence_of(run.at("optimize"));
    if (schema == "ech0.compress/1" && run.contains("evidence")) return evidence_from_json(run.at("evidence"));
    return std::nullopt;
}

std::vector<std::string> why_not_comparable(const Evidence& a, const Evidence& b) {
    std::vector<std::string> reasons;
    const auto compare = [&](const char* what, const std::string& x, const std::string& y) {
        if (x != y) reasons.push_back(fmt::format("{}: {} and {}", what, printable(x), printable(y)));
    };
    compare("the originals differ (SHA-256)", a.original.sha256.substr(0, 16), b.original.sha256.substr(0, 16));
    compare("the texts differ (SHA-256)", a.text_sha256.substr(0, 16), b.text_sha256.substr(0, 16));
    compare("tokens of context", std::to_string(a.n_ctx), std::to_string(b.n_ctx));
    compare("chunks of the text", std::to_string(a.n_chunks), std::to_string(b.n_chunks));
    compare("engines", a.engine, b.engine);
    return reasons;
}

std::string difference_text(const Evidence& a, const Evidence& b, const Look& look) {
    using Align = Table::Align;
    Table table({{"report"},
                 {"file"},
                 {"KL divergence", Align::right},
                 {"95 %"},
                 {"same top token", Align::right},
                 {"perplexity", Align::right}});
    add_candidates(table, "first", a);
    add_candidates(table, "second", b);
    std::string text = look.markdown ? heading_text("Two reports compared", look) : "";
    text += fmt::format("Original {}, {} chunks of {} tokens\n\n", file_name(a.original), a.n_chunks, a.n_ctx) +
            table.text(look) +
            "\nKL divergence, first minus second (intervals as of independent runs; one ech0 verify "
            "of both files shows smaller differences):\n";
    if (look.markdown) text += "\n";
    for (const Candidate& x : a.candidates)
        for (const Candidate& y : b.candidates) text += (look.markdown ? "- " : "  ") + pair_text(x, y) + "\n";
    return text;
}

}  // namespace ech0
