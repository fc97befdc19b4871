#include "report/change.h"

#include <fmt/format.h>

#include "base/text.h"

namespace ech0 {
namespace {

std::string action_of(const FileEdit& edit) {
    if (!edit.before) return "created";
    return edit.after ? "changed" : "removed";
}

}  // namespace

Json change_json(const Change& change, const OllamaOutcome& ollama, bool dry_run) {
    Json files = Json::array();
    for (const FileEdit& edit : change.edits)
        if (edit.changes())
            files.push_back({{"path", edit.file.string()}, {"action", action_of(edit)}, {"diff", diff_text(edit)}});
    return {{"schema", "ech0.change/1"},    {"command", change.command},       {"dry_run", dry_run}, {"files", files},
            {"ollama_model", ollama.model}, {"ollama_problem", ollama.problem}};
}

std::string change_text(const Change& change, const OllamaOutcome& ollama, bool dry_run) {
    std::string text;
    for (const FileEdit& edit : change.edits) {
        if (!edit.changes()) continue;
        text +=
            dry_run ? diff_text(edit) : fmt::format("{:8} {}\n", action_of(edit), printable(edit.file.string(), 4000));
    }
    if (!ollama.model.empty() && ollama.problem.empty())
        text += fmt::format("{:8} {} in Ollama\n", dry_run ? "would be" : "model", ollama.model);
    return text.empty() ? "nothing to change\n" : text;
}

}  // namespace ech0
