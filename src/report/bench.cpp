#include "report/bench.h"

#include <fmt/format.h>

#include "ech0/units.h"
#include "report/table.h"

namespace ech0 {
namespace {

std::string speed_cell(const Compared& c) {
    return fmt::format("{:.4g} ({:.3g} to {:.3g}){}", c.measured, c.predicted.low, c.predicted.high,
                       c.hit() ? "" : " miss");
}

std::string memory_cell(const Compared& c) {
    return fmt::format("{} ({}){}", format_memory(static_cast<int64_t>(c.measured)),
                       format_memory(static_cast<int64_t>(c.predicted.value)), c.hit() ? "" : " miss");
}

Json compared_json(const Compared& c) {
    return {{"measured", c.measured},
            {"predicted", c.predicted.value},
            {"low", c.predicted.low},
            {"high", c.predicted.high},
            {"hit", c.hit()}};
}

std::string spread_cell(double spread, double alone) {
    return alone > 0 ? fmt::format("{:.4g} ({:.2f} x)", spread, spread / alone) : fmt::format("{:.4g}", spread);
}

std::string machines_cell(const std::vector<SplitPart>& parts) {
    std::string text;
    for (const SplitPart& part : parts)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", part.name, part.n_layer);
    return text;
}

// Beside the same model on this machine alone.
std::string spread_text(const Bench& bench, const Look& look) {
    using Align = Table::Align;
    Table table({{"over workers"}, {"tokens/s"}, {"prompt tokens/s"}, {"peak memory here", Align::right}, {"layers"}});
    bool any = false;
    for (const BenchRow& row : bench.rows) {
        if (!row.spread) continue;
        any = true;
        const Speed& speed = row.spread->measured;
        table.add({row.model, spread_cell(speed.tokens_per_s, row.tokens_per_s.measured),
                   spread_cell(speed.prompt_tokens_per_s, row.prompt_tokens_per_s.measured),
                   format_memory(speed.peak_memory_bytes), machines_cell(row.spread->parts)});
    }
    return any ? "\n" + table.text(look) : "";
}

Json spread_json(const std::optional<SpreadSpeed>& spread) {
    if (!spread) return nullptr;
    Json split = Json::array();
    for (const SplitPart& part : spread->parts)
        split.push_back({{"name", part.name},
                         {"n_layer", part.n_layer},
                         {"need_bytes", part.need_bytes},
                         {"free_bytes", part.free_bytes}});
    return {{"split", split},
            {"tokens_per_s", spread->measured.tokens_per_s},
            {"prompt_tokens_per_s", spread->measured.prompt_tokens_per_s},
            {"memory_bytes", spread->measured.peak_memory_bytes}};
}

std::optional<SpreadSpeed> read_spread(const Json& json) {
    if (json.is_null()) return std::nullopt;
    SpreadSpeed spread;
    for (const Json& part : json.at("split"))
        spread.parts.push_back({part.at("name"), part.at("n_layer"), part.at("need_bytes"), part.at("free_bytes")});
    spread.measured = {json.at("prompt_tokens_per_s"), json.at("tokens_per_s"), json.at("memory_bytes")};
    return spread;
}

Compared read_compared(const Json& json) {
    return {{json.at("predicted"), json.at("low"), json.at("high")}, json.at("measured")};
}

}  // namespace

std::string bench_text(const Bench& bench, const Look& look) {
    using Align = Table::Align;
    std::string text =
        fmt::format("{}: a prompt of {} tokens, an answer of {}, a context of {}, {} cache; measured (predicted)\n\n",
                    bench.machine, bench.speed.n_prompt, bench.speed.n_generate, bench.speed.n_ctx, bench.speed.type_k);
    Table table({{"model"}, {"tokens/s"}, {"prompt tokens/s"}, {"peak memory"}, {"first token", Align::right}});
    for (const BenchRow& row : bench.rows)
        table.add({row.model, speed_cell(row.tokens_per_s), speed_cell(row.prompt_tokens_per_s),
                   memory_cell(row.memory_bytes), format_duration(row.first_token_s)});
    text += table.text(look) + spread_text(bench, look);
    if (bench.rows.size() > 1) text += fmt::format("\nFastest: {}\n", bench.rows[bench.fastest].model);
    return text;
}

Bench bench_from_json(const Json& json) {
    return from_json("ech0.bench/1", json, [&] {
        Bench bench;
        json.at("machine").get_to(bench.machine);
        json.at("n_prompt").get_to(bench.speed.n_prompt);
        json.at("n_generate").get_to(bench.speed.n_generate);
        json.at("n_ctx").get_to(bench.speed.n_ctx);
        json.at("kv_type").get_to(bench.speed.type_k);
        for (const Json& m : json.at("models")) {
            bench.rows.push_back({m.at("path"), read_compared(m.at("tokens_per_s")),
                                  read_compared(m.at("prompt_tokens_per_s")), read_compared(m.at("memory_bytes")),
                                  m.at("first_token_s"), read_spread(m.value("over_workers", Json()))});
            if (m.at("path") == json.at("fastest")) bench.fastest = bench.rows.size() - 1;
        }
        if (bench.rows.empty()) throw FormatError("models is empty, wanted one at least");
        return bench;
    });
}

Json bench_json(const Bench& bench) {
    Json models = Json::array();
    for (const BenchRow& row : bench.rows)
        models.push_back({{"path", row.model},
                          {"prompt_tokens_per_s", compared_json(row.prompt_tokens_per_s)},
                          {"tokens_per_s", compared_json(row.tokens_per_s)},
                          {"memory_bytes", compared_json(row.memory_bytes)},
                          {"first_token_s", row.first_token_s},
                          {"over_workers", spread_json(row.spread)}});
    return {{"schema", "ech0.bench/1"},
            {"machine", bench.machine},
            {"n_prompt", bench.speed.n_prompt},
            {"n_generate", bench.speed.n_generate},
            {"n_ctx", bench.speed.n_ctx},
            {"kv_type", bench.speed.type_k},
            {"models", models},
            {"fastest", bench.rows[bench.fastest].model}};
}

}  // namespace ech0
