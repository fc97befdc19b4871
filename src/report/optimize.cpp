#include "report/optimize.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/units.h"
#include "report/compress.h"
#include "report/figures.h"
#include "report/inspect.h"
#include "report/verify.h"

namespace ech0 {
namespace {

using Align = Table::Align;

std::string title_of(const Model& model) {
    return printable(model.name.empty() ? model.files.front().filename().string() : model.name);
}

double share_of(int64_t part, int64_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

void add_sizes(Table& table, const Measured& before, const Measured& after) {
    table.add({"size", format_disk(before.size_bytes), format_disk(after.size_bytes),
               change_text(static_cast<double>(before.size_bytes), static_cast<double>(after.size_bytes))});
    table.add({"bits per weight", fmt::format("{:.2f}", before.bits_per_weight),
               fmt::format("{:.2f}", after.bits_per_weight), ""});
}

void add_predictions(Table& table, const Measured& before, const Candidate& after) {
    table.add({"perplexity", fmt::format("{:.2f}", before.perplexity), fmt::format("{:.2f}", after.perplexity),
               change_text(before.perplexity, after.perplexity)});
    const Distribution& kl = after.kl_divergence;
    table.add({"KL divergence, nats per token", "", nats_text(kl.mean), nats_interval(kl.low, kl.high)});
    const Estimate& top1 = after.top1_agreement;
    table.add({"same likeliest token", "", percent_text(top1.mean), percent_interval(top1.low, top1.high)});
}

void add_behaviour(Table& table, const Evidence& evidence) {
    const Candidate& after = evidence.candidates.front();
    if (evidence.workload.greedy_n_prompts > 0)
        table.add({fmt::format("same text, of {} tokens", evidence.workload.greedy_n_tokens), "",
                   percent_text(after.greedy_agreement),
                   percent_interval(after.greedy_agreement_low, after.greedy_agreement_high)});
    if (evidence.workload.retrieval_n_ctx == 0) return;
    const auto found = [](const Measured& file) {
        int64_t n_hits = 0, n_trials = 0;
        for (const Retrieval& at : file.retrieval) n_hits += at.n_hits, n_trials += at.n_trials;
        return fmt::format("{}/{}", n_hits, n_trials);
    };
    table.add({fmt::format("facts found in {} tokens", format_count(evidence.workload.retrieval_n_ctx)),
               found(evidence.original), found(after), ""});
}

void add_speed(Table& table, const Measured& before, const Measured& after) {
    const auto add = [&](const char* what, double a, double b) {
        table.add({what, fmt::format("{:.1f}", a), fmt::format("{:.1f}", b), change_text(a, b)});
    };
    add("tokens/s", before.tokens_per_s, after.tokens_per_s);
    add("prompt tokens/s", before.prompt_tokens_per_s, after.prompt_tokens_per_s);
    table.add(
        {"peak memory", format_memory(before.peak_memory_bytes), format_memory(after.peak_memory_bytes),
         change_text(static_cast<double>(before.peak_memory_bytes), static_cast<double>(after.peak_memory_bytes))});
}

std::string measured_on(const Evidence& evidence) {
    std::string text =
        fmt::format("Measured on {}: {} chunks of {} tokens, {} tokens scored; in brackets 95 % intervals.",
                    evidence.text_path == "embedded" ? "ech0's own evaluation text" : printable(evidence.text_path),
                    evidence.n_chunks, evidence.n_ctx, format_count(evidence.n_tokens));
    if (evidence.overlap_with_calibration > 0)
        text += fmt::format(" {} of its 13-word sequences stand in the calibration text, which flatters the result.",
                            percent_text(evidence.overlap_with_calibration));
    return text;
}

Table trials_table(const Plan& plan) {
    Table table({{"change tried"}, {"KL divergence", Align::right}, {"kept"}});
    for (const Trial& trial : plan.tried)
        table.add({trial.lever, nats_text(trial.kl_divergence), trial.kept ? "yes" : "no"});
    return table;
}

Table files_table(const Optimization& o) {
    Table table({{"file"}, {"bytes", Align::right}, {"SHA-256"}});
    table.add({printable(o.artifact.source_path), fmt::format("{}", o.model.size_bytes), o.artifact.source_sha256});
    table.add({printable(o.artifact.path), fmt::format("{}", o.artifact.size_bytes), o.artifact.sha256});
    table.add({"evaluation text: " + printable(o.evidence.text_path), "", o.evidence.text_sha256});
    table.add({"calibration text: " + printable(o.evidence.calibration_path), "", o.evidence.calibration_sha256});
    return table;
}

std::string summary(const Optimization& o) {
    const Artifact& made = o.artifact;
    return fmt::format("{} ({}) as {}: {} of the {} allowed ({:.2f} %).", title_of(o.model),
                       format_disk(o.model.size_bytes), printable(made.path, 400), format_disk(made.size_bytes),
                       format_disk(made.plan.budget_bytes), 100 * share_of(made.size_bytes, made.plan.budget_bytes));
}

}  // namespace

Json optimize_json(const Optimization& o) {
    return {{"schema", "ech0.optimize/1"},
            {"command", o.command},
            {"seconds", o.seconds},
            {"inspect", inspect_json(o.model)},
            {"compress", compress_json(o.artifact)},
            {"verify", verify_json(o.evidence)}};
}

Optimization optimization_from_json(const Json& json) {
    return from_json("ech0.optimize/1", json, [&] {
        Optimization o;
        o.model = model_from_json(json.at("inspect"));
        o.artifact = artifact_from_json(json.at("compress"));
        o.evidence = evidence_from_json(json.at("verify"));
        if (o.evidence.candidates.empty()) throw FormatError("verify.candidates is empty, wanted one");
        json.at("command").get_to(o.command);
        json.at("seconds").get_to(o.seconds);
        return o;
    });
}

Table before_after(const Evidence& evidence) {
    Table table({{""}, {"original", Align::right}, {"compressed", Align::right}, {"change", Align::right}});
    const Candidate& after = evidence.candidates.front();
    add_sizes(table, evidence.original, after);
    add_predictions(table, evidence.original, after);
    add_behaviour(table, evidence);
    if (evidence.workload.speed_n_repeats > 0) add_speed(table, evidence.original, after);
    return table;
}

std::string optimize_text(const Optimization& o) {
    std::string text =
        summary(o) + "\n\n" + before_after(o.evidence).text() + "\n" + types_table(o.artifact.plan).text() + "\n";
    text += measured_on(o.evidence) + "\n";
    text += fmt::format("Took {}: {} to compress, {} to verify.\n", format_duration(o.seconds),
                        format_duration(o.artifact.seconds), format_duration(o.evidence.seconds));
    text += fmt::format("Next: ech0 chat {}\n", shell_word(o.artifact.path));
    return text;
}

std::string optimize_markdown(const Optimization& o) {
    std::string text =
        fmt::format("# {} in {}\n\n{}\n\n", title_of(o.model), format_disk(o.artifact.size_bytes), summary(o));
    text += "## Before and after\n\n" + before_after(o.evidence).markdown() + "\n" + measured_on(o.evidence) + "\n\n";
    text += fmt::format("Speed and memory: {}.\n\n", o.evidence.machine);
    text += "## What the weights became\n\n" + types_table(o.artifact.plan).markdown() + "\n";
    text += fmt::format(
        "The types were chosen by KL divergence, measured end to end on text that is neither the one above nor the one "
        "that "
        "the statistics come from: {} nats per token there (predicted {}).\n\n",
        nats_text(o.artifact.plan.measured_kl), nats_text(o.artifact.plan.predicted_kl));
    if (!o.artifact.plan.tried.empty()) text += trials_table(o.artifact.plan).markdown() + "\n";
    text += "## What may be compared\n\n";
    for (const std::string& sentence : comparability(o.evidence)) text += "- " + sentence + "\n";
    text += "\n## Files\n\n" + files_table(o).markdown() + "\n";
    text += fmt::format("Engine: {}. Took {}; compressing used {} of memory at most. To do it again:\n\n```\n{}\n```\n",
                        o.evidence.engine, format_duration(o.seconds), format_memory(o.artifact.peak_memory_bytes),
                        o.command);
    return text;
}

}  // namespace ech0
