#include "report/models.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/units.h"
#include "report/table.h"
#include "report/utc_time.h"

namespace ech0 {
namespace {

Json to_json(const ListedModel& model) {
    const auto known = [&](const auto& value) { return model.architecture.empty() ? Json(nullptr) : Json(value); };
    Json files = Json::array();
    for (const auto& file : model.stored.files) files.push_back(file.string());
    return {{"name", model.stored.name},
            {"store", model.stored.store},
            {"size_bytes", model.stored.size_bytes},
            {"architecture", known(model.architecture)},
            {"type", known(model.type)},
            {"n_params", known(model.n_params)},
            {"modified", model.stored.modified_s == 0 ? Json(nullptr) : Json(utc_time_text(model.stored.modified_s))},
            {"files", files},
            {"problem", model.stored.problem.empty() ? Json(nullptr) : Json(model.stored.problem)}};
}

}  // namespace

std::string models_text(const std::vector<ListedModel>& models) {
    using Align = Table::Align;
    Table table({{"MODEL"}, {"size", Align::right}, {"architecture"}, {"type"}, {"store"}, {"modified"}});
    std::string problems;
    for (const ListedModel& model : models) {
        const StoredModel& stored = model.stored;
        const std::string name = printable(shell_word(stored.name), 400);
        if (!stored.problem.empty()) {
            problems += fmt::format("  {}: {}\n", name, printable(stored.problem, 1000));
            continue;
        }
        table.add({name, format_disk(stored.size_bytes), printable(model.architecture), model.type, stored.store,
                   utc_time_text(stored.modified_s, "%Y-%m-%d")});
    }
    const bool any = std::any_of(models.begin(), models.end(), [](const auto& m) { return m.stored.problem.empty(); });
    std::string text = any ? table.text() : "No model in any store. Next: ech0 models pull hf:ORG/REPO:FILE\n";
    if (!problems.empty()) text += "\nCan't be used:\n" + problems;
    return text;
}

Json models_json(const std::vector<ListedModel>& models) {
    Json list = Json::array();
    for (const ListedModel& model : models) list.push_back(to_json(model));
    return {{"schema", "ech0.models/1"}, {"models", list}};
}

}  // namespace ech0
