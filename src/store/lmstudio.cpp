// LM Studio's store: MODELS/PUBLISHER/MODEL/FILE.gguf, as https://lmstudio.ai/docs/app/advanced/import-model says.
// MODELS is "downloadsFolder" of its settings.json where a person chose one, else HOME/models, and HOME is what
// ~/.lmstudio-home-pointer says, else ~/.cache/lm-studio (its place before version 0.3.6) or ~/.lmstudio.
// Sources: https://github.com/lmstudio-ai/lmstudio-js packages/lms-common-server/src/findLMStudioHome.ts and
// https://github.com/lmstudio-ai/lms src/lmstudioPaths.ts (HOME, HOME/models). No published source names
// settings.json's place; it has been seen in HOME and in the desktop app's own folder, and both are tried.

#include "store/lmstudio.h"

#include <system_error>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t largest_settings_bytes = 16 << 20;

std::string content_of(const fs::path& file) {
    std::error_code failure;
    if (!fs::is_regular_file(file, failure) || fs::file_size(file, failure) > largest_settings_bytes) return "";
    try {
        return read_file(file);
    } catch (const FileError&) {
        return "";  // a setting that we may not read says nothing
    }
}

std::string trimmed(const std::string& text) {
    const size_t first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
    return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

std::vector<fs::path> homes(const fs::path& user) {
    std::vector<fs::path> folders;
    if (const std::string own = variable("LMSTUDIO_HOME"); !own.empty()) folders.emplace_back(own);
    if (const std::string pointed = trimmed(content_of(user / ".lmstudio-home-pointer")); !pointed.empty())
        folders.emplace_back(pointed);
    folders.push_back(user / ".lmstudio");
    folders.push_back(user / ".cache" / "lm-studio");
    return folders;
}

std::vector<fs::path> model_folders(const fs::path& user) {
    std::vector<fs::path> settings, folders;
    for (const fs::path& home : homes(user)) settings.push_back(home / "settings.json");
    settings.push_back(user / ".config" / "LM Studio" / "settings.json");
    settings.push_back(user / "Library" / "Application Support" / "LM Studio" / "settings.json");
    for (const fs::path& file : settings) {
        const json content = json::parse(content_of(file), nullptr, false);
        const auto chosen = content.is_object() ? content.find("downloadsFolder") : content.end();
        if (chosen != content.end() && chosen->is_string() && !chosen->get<std::string>().empty())
            folders.emplace_back(chosen->get<std::string>());
    }
    for (const fs::path& home : homes(user)) folders.push_back(home / "models");
    return folders;
}

}  // namespace

std::vector<StoredModel> lmstudio_models() {
    const std::string user = variable("HOME");
    std::vector<StoredModel> models;
    if (user.empty()) return models;
    for (const fs::path& folder : present_folders(model_folders(user), "lmstudio", models)) {
        for (StoredModel& model :
             gguf_models_below(folder, "lmstudio", [](const std::string& relative) { return "lmstudio:" + relative; }))
            models.push_back(std::move(model));
    }
    return models;
}

}  // namespace ech0
