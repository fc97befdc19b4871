#include "report/file_check.h"

#include <fmt/format.h>

#include "base/text.h"
#include "report/table.h"

namespace ech0 {
namespace {

const char* name_of(Soundness soundness) {
    switch (soundness) {
        case Soundness::sound: return "sound";
        case Soundness::notable: return "notable";
        case Soundness::broken: break;
    }
    return "broken";
}

}  // namespace

std::string file_check_text(const Model& model, const std::vector<FilePoint>& points, const Look& look) {
    Table table({{"checked"}, {"is"}, {"found"}});
    for (const FilePoint& p : points)
        table.add({p.what, name_of(p.soundness), p.found},
                  p.soundness == Soundness::sound ? Table::Tone::plain : Table::Tone::strong);
    return fmt::format("{}: {}\n\n{}", printable(model.files.front().string(), 400), name_of(soundness_of(points)),
                       table.text(look));
}

Json file_check_json(const Model& model, const std::vector<FilePoint>& points) {
    Json list = Json::array();
    for (const FilePoint& p : points)
        list.push_back({{"what", p.what}, {"is", name_of(p.soundness)}, {"found", p.found}});
    return {{"schema", "ech0.check/1"},
            {"path", model.files.front().string()},
            {"is", name_of(soundness_of(points))},
            {"points", std::move(list)}};
}

}  // namespace ech0
