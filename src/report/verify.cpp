#include "report/verify.h"

#include <filesystem>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "report/figures.h"
#include "report/table.h"

namespace ech0 {
namespace {

using Align = Table::Align;
constexpr std::string_view schema = "ech0.verify/1";

bool has_greedy(const Evidence& evidence) { return evidence.workload.greedy_n_prompts > 0; }
bool has_retrieval(const Evidence& evidence) { return evidence.workload.retrieval_n_ctx > 0; }
bool has_speed(const Evidence& evidence) { return evidence.workload.speed_n_repeats > 0; }

// ---- text

/// The files' names without their folders, unless two would then be the same. Original first.
std::vector<std::string> short_names(const Evidence& evidence) {
    std::vector<std::string> paths = {evidence.original.path};
    for (const Candidate& candidate : evidence.candidates) paths.push_back(candidate.path);
    std::vector<std::string> names;
    names.reserve(paths.size());
    for (const std::string& path : paths) names.push_back(printable(std::filesystem::path(path).filename().string()));
    const bool unique = std::set<std::string>(names.begin(), names.end()).size() == names.size();
    return unique ? names : paths;
}

std::vector<const Measured*> all_files(const Evidence& evidence) {
    std::vector<const Measured*> files = {&evidence.original};
    for (const Candidate& candidate : evidence.candidates) files.push_back(&candidate);
    return files;
}

std::string divergence_table(const Evidence& evidence, const std::vector<std::string>& names, const Look& look) {
    Table table({{"file"},
                 {"size", Align::right},
                 {"bits/weight", Align::right},
                 {"KL divergence", Align::right},
                 {"95 %"},
                 {"median", Align::right},
                 {"99 %", Align::right}});
    const auto add = [&](const std::string& name, const Measured& file, const std::string& mean,
                         const std::string& around, const std::string& median, const std::string& p99) {
        table.add({name, format_disk(file.size_bytes), fmt::format("{:.2f}", file.bits_per_weight), mean, around,
                   median, p99});
    };
    add(names[0] + " (original)", evidence.original, "", "", "", "");
    for (size_t c = 0; c < evidence.candidates.size(); ++c) {
        const Distribution& kl = evidence.candidates[c].kl_divergence;
        add(names[c + 1], evidence.candidates[c], nats_text(kl.mean), nats_interval(kl.low, kl.high),
            nats_text(kl.median), nats_text(kl.p99));
    }
    return table.text(look);
}

std::string agreement_table(const Evidence& evidence, const std::vector<std::string>& names, const Look& look) {
    Table table({{"file"},
                 {"perplexity", Align::right},
                 {"95 %"},
                 {"same top token", Align::right},
                 {"95 %"},
                 {"same text", Align::right},
                 {"95 %"}});
    const auto add = [&](const std::string& name, const Measured& file, std::vector<std::string> agreement) {
        std::vector<std::string> row = {name, fmt::format("{:.3f}", file.perplexity),
                                        fmt::format("[{:.2f}, {:.2f}]", file.perplexity_low, file.perplexity_high)};
        row.insert(row.end(), agreement.begin(), agreement.end());
        table.add(row);
    };
    add(names[0] + " (original)", evidence.original, {"", "", "", ""});
    for (size_t c = 0; c < evidence.candidates.size(); ++c) {
        const Candidate& of = evidence.candidates[c];
        const Estimate& top1 = of.top1_agreement;
        const bool greedy = has_greedy(evidence);
        add(names[c + 1], of,
            {percent_text(top1.mean), percent_interval(top1.low, top1.high),
             greedy ? percent_text(of.greedy_agreement) : "-",
             greedy ? percent_interval(of.greedy_agreement_low, of.greedy_agreement_high) : ""});
    }
    return table.text(look);
}

std::string paired_text(const Evidence& evidence, const std::vector<std::string>& names) {
    std::string text;
    for (const PairedDifference& pair : evidence.paired) {
        const Estimate& d = pair.kl_difference;
        const std::string& a = names[pair.a + 1];
        const std::string& b = names[pair.b + 1];
        const std::string verdict = d.low > 0    ? b + " is closer"
                                    : d.high < 0 ? a + " is closer"
                                                 : "no difference shown";
        text +=
            fmt::format("  {} minus {}: {} {}: {}\n", a, b, nats_text(d.mean), nats_interval(d.low, d.high), verdict);
    }
    return text.empty() ? text : "\nKL divergence, token by token on the same text:\n" + text;
}

std::string greedy_text(const Evidence& evidence) {
    if (!has_greedy(evidence)) return "";
    return fmt::format(
        "same text: going on greedily from {} prompts, the share of the original's {} tokens before the first other "
        "one\n",
        evidence.workload.greedy_n_prompts, evidence.workload.greedy_n_tokens);
}

std::string retrieval_text(const Evidence& evidence, const std::vector<std::string>& names, const Look& look) {
    if (!has_retrieval(evidence) || evidence.original.retrieval.empty()) return "";
    std::vector<Table::Column> columns = {{"file"}};
    for (const Retrieval& at : evidence.original.retrieval)
        columns.push_back({fmt::format("at {:.0f} %", 100 * at.depth), Align::right});
    columns.push_back({"found", Align::right});
    columns.push_back({"preferred", Align::right});
    Table table(columns);
    const std::vector<const Measured*> files = all_files(evidence);
    for (size_t m = 0; m < files.size(); ++m) {
        std::vector<std::string> row = {names[m]};
        int64_t n_trials = 0, n_hits = 0, n_preferred = 0;
        for (const Retrieval& at : files[m]->retrieval) {
            row.push_back(fmt::format("{}/{}", at.n_hits, at.n_trials));
            n_trials += at.n_trials, n_hits += at.n_hits, n_preferred += at.n_preferred;
        }
        row.push_back(fmt::format("{}/{}", n_hits, n_trials));
        row.push_back(fmt::format("{}/{}", n_preferred, n_trials));
        table.add(row);
    }
    return fmt::format(
        "\nFacts hidden in {} tokens of the text, asked for at the end: found by depth; preferred to the other facts' "
        "answers (guessing: 1 in {})\n\n{}",
        format_count(evidence.workload.retrieval_n_ctx), evidence.original.retrieval.size(), table.text(look));
}

std::string speed_text(const Evidence& evidence, const std::vector<std::string>& names, const Look& look) {
    if (!has_speed(evidence)) return "";
    Table table(
        {{"file"}, {"prompt tokens/s", Align::right}, {"tokens/s", Align::right}, {"peak memory", Align::right}});
    const std::vector<const Measured*> files = all_files(evidence);
    for (size_t m = 0; m < files.size(); ++m) {
        table.add({names[m], fmt::format("{:.1f}", files[m]->prompt_tokens_per_s),
                   fmt::format("{:.1f}", files[m]->tokens_per_s), format_memory(files[m]->peak_memory_bytes)});
    }
    const Workload& w = evidence.workload;
    return fmt::format(
        "\nEach file alone in a process: {} tokens read, {} written, context of {}, median of {} runs in turn; "
        "{}\n\n{}",
        w.speed_n_prompt, w.speed_n_generate, format_count(w.speed_n_ctx), w.speed_n_repeats, evidence.machine,
        table.text(look));
}

std::string overlap_text(const Evidence& evidence) {
    const std::string share = evidence.overlap_with_calibration == 0
                                  ? "none"
                                  : fmt::format("{:.2f} %", 100 * evidence.overlap_with_calibration);
    return fmt::format("{} of its 13-word sequences stands in the calibration text ({})", share,
                       printable(evidence.calibration_path));
}

// ---- JSON

Json or_null(bool measured, const Json& value) { return measured ? value : Json(nullptr); }

Json retrieval_json(const std::vector<Retrieval>& retrieval) {
    Json list = Json::array();
    for (const Retrieval& at : retrieval)
        list.push_back(
            {{"depth", at.depth}, {"n_trials", at.n_trials}, {"n_hits", at.n_hits}, {"n_preferred", at.n_preferred}});
    return list;
}

Json measured_json(const Measured& file, const Evidence& evidence) {
    const bool speed = has_speed(evidence);
    return {{"path", file.path},
            {"sha256", file.sha256},
            {"size_bytes", file.size_bytes},
            {"bits_per_weight", file.bits_per_weight},
            {"perplexity", file.perplexity},
            {"perplexity_low", file.perplexity_low},
            {"perplexity_high", file.perplexity_high},
            {"tokens_per_s", or_null(speed, file.tokens_per_s)},
            {"prompt_tokens_per_s", or_null(speed, file.prompt_tokens_per_s)},
            {"peak_memory_bytes", or_null(speed, file.peak_memory_bytes)},
            {"retrieval", or_null(has_retrieval(evidence), retrieval_json(file.retrieval))}};
}

Json candidate_json(const Candidate& candidate, const Evidence& evidence) {
    Json json = measured_json(candidate, evidence);
    const Distribution& kl = candidate.kl_divergence;
    json["kl_divergence"] = {
        {"mean", kl.mean}, {"low", kl.low}, {"high", kl.high}, {"median", kl.median}, {"p99", kl.p99}};
    json["kl_quantiles"] = candidate.kl_quantiles;
    json["kl_by_position"] = candidate.kl_by_position;
    json["top1_agreement"] = candidate.top1_agreement.mean;
    json["top1_agreement_low"] = candidate.top1_agreement.low;
    json["top1_agreement_high"] = candidate.top1_agreement.high;
    const bool greedy = has_greedy(evidence);
    json["greedy_agreement"] = or_null(greedy, candidate.greedy_agreement);
    json["greedy_agreement_low"] = or_null(greedy, candidate.greedy_agreement_low);
    json["greedy_agreement_high"] = or_null(greedy, candidate.greedy_agreement_high);
    return json;
}

Json workload_json(const Workload& w) {
    return {{"greedy_n_prompts", w.greedy_n_prompts}, {"greedy_n_tokens", w.greedy_n_tokens},
            {"retrieval_n_ctx", w.retrieval_n_ctx},   {"speed_n_prompt", w.speed_n_prompt},
            {"speed_n_generate", w.speed_n_generate}, {"speed_n_ctx", w.speed_n_ctx},
            {"speed_n_repeats", w.speed_n_repeats}};
}

/// A number, or 0 for what was not measured.
template <class T>
void read(const Json& json, const char* key, T& into) {
    const Json& value = json.at(key);
    if (!value.is_null()) value.get_to(into);
}

void read_measured(const Json& json, Measured& file) {
    read(json, "path", file.path);
    read(json, "sha256", file.sha256);
    read(json, "size_bytes", file.size_bytes);
    read(json, "bits_per_weight", file.bits_per_weight);
    read(json, "perplexity", file.perplexity);
    read(json, "perplexity_low", file.perplexity_low);
    read(json, "perplexity_high", file.perplexity_high);
    read(json, "tokens_per_s", file.tokens_per_s);
    read(json, "prompt_tokens_per_s", file.prompt_tokens_per_s);
    read(json, "peak_memory_bytes", file.peak_memory_bytes);
    if (json.at("retrieval").is_null()) return;
    for (const Json& at : json.at("retrieval")) {
        Retrieval& retrieval = file.retrieval.emplace_back();
        read(at, "depth", retrieval.depth);
        read(at, "n_trials", retrieval.n_trials);
        read(at, "n_hits", retrieval.n_hits);
        read(at, "n_preferred", retrieval.n_preferred);
    }
}

Candidate read_candidate(const Json& json) {
    Candidate candidate;
    read_measured(json, candidate);
    const Json& kl = json.at("kl_divergence");
    read(kl, "mean", candidate.kl_divergence.mean);
    read(kl, "low", candidate.kl_divergence.low);
    read(kl, "high", candidate.kl_divergence.high);
    read(kl, "median", candidate.kl_divergence.median);
    read(kl, "p99", candidate.kl_divergence.p99);
    if (json.contains("kl_quantiles")) read(json, "kl_quantiles", candidate.kl_quantiles);
    if (json.contains("kl_by_position")) read(json, "kl_by_position", candidate.kl_by_position);
    read(json, "top1_agreement", candidate.top1_agreement.mean);
    read(json, "top1_agreement_low", candidate.top1_agreement.low);
    read(json, "top1_agreement_high", candidate.top1_agreement.high);
    read(json, "greedy_agreement", candidate.greedy_agreement);
    read(json, "greedy_agreement_low", candidate.greedy_agreement_low);
    read(json, "greedy_agreement_high", candidate.greedy_agreement_high);
    return candidate;
}

PairedDifference read_pair(const Json& json) {
    PairedDifference pair;
    read(json, "a", pair.a);
    read(json, "b", pair.b);
    read(json.at("kl_difference"), "mean", pair.kl_difference.mean);
    read(json.at("kl_difference"), "low", pair.kl_difference.low);
    read(json.at("kl_difference"), "high", pair.kl_difference.high);
    return pair;
}

Workload read_workload(const Json& json) {
    Workload w;
    read(json, "greedy_n_prompts", w.greedy_n_prompts);
    read(json, "greedy_n_tokens", w.greedy_n_tokens);
    read(json, "retrieval_n_ctx", w.retrieval_n_ctx);
    read(json, "speed_n_prompt", w.speed_n_prompt);
    read(json, "speed_n_generate", w.speed_n_generate);
    read(json, "speed_n_ctx", w.speed_n_ctx);
    read(json, "speed_n_repeats", w.speed_n_repeats);
    return w;
}

Evidence read_evidence(const Json& json) {
    Evidence evidence;
    read_measured(json.at("original"), evidence.original);
    read(json.at("text"), "path", evidence.text_path);
    read(json.at("text"), "sha256", evidence.text_sha256);
    read(json.at("text"), "n_tokens", evidence.n_tokens);
    read(json.at("text"), "n_chunks", evidence.n_chunks);
    read(json.at("text"), "n_ctx", evidence.n_ctx);
    read(json.at("calibration_text"), "path", evidence.calibration_path);
    read(json.at("calibration_text"), "sha256", evidence.calibration_sha256);
    read(json.at("calibration_text"), "overlap", evidence.overlap_with_calibration);
    for (const Json& candidate : json.at("candidates")) evidence.candidates.push_back(read_candidate(candidate));
    for (const Json& pair : json.at("paired")) {
        evidence.paired.push_back(read_pair(pair));
        const auto n = static_cast<int64_t>(evidence.candidates.size());
        for (const int64_t i : {evidence.paired.back().a, evidence.paired.back().b})
            if (i < 0 || i >= n) throw FormatError(fmt::format("a pair names candidate {}; there are {}", i, n));
    }
    evidence.workload = read_workload(json.at("workload"));
    read(json, "engine", evidence.engine);
    read(json, "machine", evidence.machine);
    read(json, "command", evidence.command);
    read(json, "seconds", evidence.seconds);
    return evidence;
}

}  // namespace

std::string verify_text(const Evidence& evidence, const Look& look) {
    const std::vector<std::string> names = short_names(evidence);
    std::string text = look.markdown ? heading_text("Verified: " + names[0], look) : "";
    text += fmt::format("Text: {}, {} chunks of {} tokens, {} tokens scored; {}\n", printable(evidence.text_path),
                        evidence.n_chunks, evidence.n_ctx, format_count(evidence.n_tokens), overlap_text(evidence));
    text += "KL divergence to the original in nats per token; in brackets 95 % intervals\n";
    text += "\n" + divergence_table(evidence, names, look) + paired_text(evidence, names);
    text += "\n" + agreement_table(evidence, names, look) + greedy_text(evidence);
    text += retrieval_text(evidence, names, look) + speed_text(evidence, names, look);
    text += look.markdown ? "\nWhat may be compared:\n\n" : "\nWhat may be compared:\n";
    for (const std::string& sentence : comparability(evidence)) text += (look.markdown ? "- " : "  ") + sentence + "\n";
    text += fmt::format("Measured in {} by {}.\n", format_duration(evidence.seconds), evidence.engine);
    return text;
}

std::vector<std::string> comparability(const Evidence& evidence) {
    const std::string text = evidence.text_sha256.substr(0, 12);
    std::vector<std::string> sentences;
    sentences.push_back(
        fmt::format("KL divergence and top-token agreement: with any file measured against this original (SHA-256 {}) "
                    "on this text ({}), "
                    "{} chunks of {} tokens, this engine; also with llama-perplexity --kl-divergence.",
                    evidence.original.sha256.substr(0, 12), text, evidence.n_chunks, evidence.n_ctx));
    sentences.push_back(
        fmt::format("Perplexity: with any file of the same tokenizer on this text, {} chunks of {} tokens; never "
                    "across texts or tokenizers.",
                    evidence.n_chunks, evidence.n_ctx));
    if (has_greedy(evidence) || has_retrieval(evidence))
        sentences.emplace_back(
            "Greedy agreement and retrieval: within this report, and with ech0 reports of the same text.");
    if (has_speed(evidence))
        sentences.emplace_back("Speed and memory: on this machine, with this engine and context only.");
    if (evidence.overlap_with_calibration > 0)
        sentences.emplace_back(
            "Files calibrated on text that the evaluation repeats look better here than they are; use another --text.");
    return sentences;
}

Json verify_json(const Evidence& evidence) {
    Json candidates = Json::array(), paired = Json::array();
    for (const Candidate& candidate : evidence.candidates) candidates.push_back(candidate_json(candidate, evidence));
    for (const PairedDifference& pair : evidence.paired) {
        const Estimate& d = pair.kl_difference;
        paired.push_back(
            {{"a", pair.a}, {"b", pair.b}, {"kl_difference", {{"mean", d.mean}, {"low", d.low}, {"high", d.high}}}});
    }
    return {{"schema", schema},
            {"original", measured_json(evidence.original, evidence)},
            {"text",
             {{"path", evidence.text_path},
              {"sha256", evidence.text_sha256},
              {"n_tokens", evidence.n_tokens},
              {"n_chunks", evidence.n_chunks},
              {"n_ctx", evidence.n_ctx}}},
            {"calibration_text",
             {{"path", evidence.calibration_path},
              {"sha256", evidence.calibration_sha256},
              {"overlap", evidence.overlap_with_calibration}}},
            {"candidates", std::move(candidates)},
            {"paired", std::move(paired)},
            {"workload", workload_json(evidence.workload)},
            {"engine", evidence.engine},
            {"machine", evidence.machine},
            {"command", evidence.command},
            {"seconds", evidence.seconds},
            {"comparable", comparability(evidence)}};
}

Evidence evidence_from_json(const Json& json) {
    return from_json(schema, json, [&] { return read_evidence(json); });
}

}  // namespace ech0
