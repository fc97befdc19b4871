#include "report/run_view.h"

#include <functional>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "report/bench.h"
#include "report/compress.h"
#include "report/demo.h"
#include "report/doctor.h"
#include "report/fit.h"
#include "report/inspect.h"
#include "report/kv_plan.h"
#include "report/machine.h"
#include "report/optimize.h"
#include "report/prune.h"
#include "report/verify.h"

namespace ech0 {
namespace {

/// A value in a line of text: a number or word as it is, the rest by how much there is of it.
std::string value_text(const Json& value) {
    if (value.is_string()) return printable(value.get<std::string>(), 400);
    if (value.is_array()) return fmt::format("{} entries", value.size());
    return value.is_object() ? fmt::format("{} keys", value.size()) : value.dump();
}

/// "memory.kv_bytes   1234" for all that is no array.
void add_values(const std::string& prefix, const Json& object, Facts& facts) {
    for (const auto& [key, value] : object.items()) {
        if (value.is_object() && !value.empty())
            add_values(prefix + key + ".", value, facts);
        else
            facts.emplace_back(printable(prefix + key), value_text(value));
    }
}

std::string plain_view(const Json& run, const Look& look) {
    Facts facts;
    add_values("", run, facts);
    return heading_text(run.at("schema").get<std::string>(), look) + facts_text(facts, look);
}

std::string compress_view(const Json& run, const Look& look) {
    const Artifact artifact = artifact_from_json(run);
    std::string text = look.markdown ? heading_text("Compressed: " + artifact.path, look) : "";
    text += compress_text(artifact, look);
    if (run.contains("evidence")) text += "\n" + verify_text(evidence_from_json(run.at("evidence")), look);
    return text;
}

std::string optimize_view(const Json& run, const Look& look) {
    const Optimization optimization = optimization_from_json(run);
    return look.markdown ? optimize_markdown(optimization) : optimize_text(optimization);
}

std::string demo_view(const Json& run, const Look& look) {
    const Json& answers = run.at("answers");
    const Comparison comparison{run.at("prompt"), answers.at("original"), answers.at("compressed")};
    const Optimization optimization = optimization_from_json(run.at("optimize"));
    if (!look.markdown) return demo_text(optimization, comparison);
    return optimize_markdown(optimization) +
           fmt::format("\n## Both were asked\n\n> {}\n\nThe original:\n\n> {}\n\nThe compressed one:\n\n> {}\n",
                       printable(comparison.prompt, 4000), printable(comparison.original, 4000),
                       printable(comparison.candidate, 4000));
}

std::string prune_view(const Json& run, const Look& look) {
    const Pruning pruning = pruning_from_json(run);
    return (look.markdown ? heading_text("Pruned: " + pruning.path, look) : "") + prune_text(pruning, look);
}

std::string bench_view(const Json& run, const Look& look) {
    return (look.markdown ? heading_text("Speed and memory", look) : "") + bench_text(bench_from_json(run), look);
}

using View = std::function<std::string(const Json&, const Look&)>;

const std::map<std::string, View, std::less<>>& views() {
    static const std::map<std::string, View, std::less<>> all = {
        {"ech0.bench/1", bench_view},
        {"ech0.compress/1", compress_view},
        {"ech0.demo/1", demo_view},
        {"ech0.doctor/1", doctor_text_from_json},
        {"ech0.fit/1", [](const Json& run, const Look& look) { return fit_text(fit_from_json(run), false, look); }},
        {"ech0.inspect/1",
         [](const Json& run, const Look& look) { return inspect_text(model_from_json(run), false, look); }},
        {"ech0.kv.plan/1",
         [](const Json& run, const Look& look) { return kv_plan_text(kv_plan_from_json(run), true, look); }},
        {"ech0.optimize/1", optimize_view},
        {"ech0.prune/1", prune_view},
        {"ech0.verify/1",
         [](const Json& run, const Look& look) { return verify_text(evidence_from_json(run), look); }}};
    return all;
}

}  // namespace

std::string run_view(const Json& run, const Look& look) {
    return from_json(run.at("schema").get<std::string>(), run, [&] {
        const auto view = views().find(run.at("schema").get<std::string>());
        return view == views().end() ? plain_view(run, look) : view->second(run, look);
    });
}

}  // namespace ech0
