// Models that came from Hugging Face, in three layouts.
//
// The hub's own cache, shared by its Python, Rust and Swift libraries and by llama.cpp:
//   HUB/models--ORG--REPO/refs/main                   the revision that "main" was when it was last looked at
//   HUB/models--ORG--REPO/snapshots/REVISION/FILE     a link to ../../blobs/HASH, or the file itself
// Source: https://huggingface.co/docs/hub/local-cache; llama.cpp common/hf-cache.cpp (which of several variables names
// HUB; without refs/main any other ref).
//
// llama.cpp's cache before that (https://github.com/ggml-org/llama.cpp/pull/20775, with pull/19828 and pull/21019 for
// examples of its contents): one folder of ORG_REPO_FILE.gguf, with manifest=ORG=REPO=TAG.json beside it; that JSON is
// what tells where ORG and REPO end.
//
// ech0's: CACHE/models/hf/ORG/REPO/FILE.

#include "store/huggingface.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/paths.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

std::string shown(const fs::path& path) { return printable(path.string(), 400); }

std::vector<fs::path> hub_folders() {
    std::vector<fs::path> folders;
    const auto add = [&](const char* name, const fs::path& below) {
        if (const std::string value = variable(name); !value.empty()) folders.push_back(fs::path(value) / below);
    };
    add("HF_HUB_CACHE", "");
    add("HUGGINGFACE_HUB_CACHE", "");
    add("HF_HOME", "hub");
    add("LLAMA_CACHE", "");
    add("XDG_CACHE_HOME", "huggingface/hub");
    add("HOME", ".cache/huggingface/hub");
    return folders;
}

// "models--ORG--REPO" -> "ORG/REPO", or "" if it is none.
std::string repository_of(const std::string& folder_name) {
    constexpr std::string_view prefix = "models--";
    if (!folder_name.starts_with(prefix)) return "";
    std::string name = folder_name.substr(prefix.size());
    const size_t slash = name.find("--");
    if (slash == std::string::npos) return "";
    name.replace(slash, 2, "/");
    return is_repository_name(name) ? name : "";
}

bool is_revision(const std::string& text) {
    return text.size() == 40 && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
}

std::string revision_in(const fs::path& ref) {
    std::error_code failure;
    if (!fs::is_regular_file(ref, failure) || fs::file_size(ref, failure) > 100) return "";
    const std::string text = read_file(ref);
    return text.substr(0, text.find_first_of("\r\n"));
}

// The snapshot to read: of main, else of any other ref, else the newest there is.
// @throws FormatError if a ref is damaged
fs::path snapshot_of(const fs::path& repository) {
    std::vector<fs::path> refs = entries_of(repository / "refs");
    std::stable_partition(refs.begin(), refs.end(), [](const fs::path& ref) { return ref.filename() == "main"; });
    for (const fs::path& ref : refs) {
        const std::string revision = revision_in(ref);
        if (!is_revision(revision))
            throw FormatError(fmt::format("{}: '{}', wanted a revision of 40 hex digits: fetch the repository again",
                                          shown(ref), printable(revision)));
        if (fs::exists(repository / "snapshots" / revision)) return repository / "snapshots" / revision;
    }
    fs::path newest;
    std::error_code failure;
    for (const fs::path& snapshot : entries_of(repository / "snapshots")) {
        if (newest.empty() || fs::last_write_time(snapshot, failure) > fs::last_write_time(newest, failure))
            newest = snapshot;
    }
    return newest;
}

// A link may lead to the blobs beside it; one that leads out of the cache was not made by the hub's libraries.
void refuse_escape(StoredModel& model, const fs::path& hub) {
    for (const fs::path& file : model.files) {
        if (lies_in(file, hub)) continue;
        model.problem = fmt::format("{} leads out of {}, which is not followed", shown(file), shown(hub));
        model.files.clear();
        return;
    }
}

void read_repository(const fs::path& hub, const fs::path& folder, std::vector<StoredModel>& models) {
    const std::string repository = repository_of(folder.filename().string());
    if (repository.empty()) return;
    try {
        const fs::path snapshot = snapshot_of(folder);
        if (snapshot.empty()) return;
        for (StoredModel& model : gguf_models_below(snapshot, "huggingface", [&](const std::string& relative) {
                 return fmt::format("hf:{}:{}", repository, relative);
             })) {
            refuse_escape(model, hub);
            models.push_back(std::move(model));
        }
    } catch (const Error& error) {
        models.push_back(broken_entry("hf:" + repository, "huggingface", error.what()));
    }
}

std::vector<fs::path> llama_cpp_folders() {
    std::vector<fs::path> folders;
    if (const std::string own = variable("LLAMA_CACHE"); !own.empty()) folders.emplace_back(own);
    if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty())
        folders.push_back(fs::path(cache) / "llama.cpp");
    if (const std::string home = variable("HOME"); !home.empty()) {
        folders.push_back(fs::path(home) / ".cache" / "llama.cpp");
        folders.push_back(fs::path(home) / "Library" / "Caches" / "llama.cpp");
    }
    return folders;
}

// The repositories that manifest=ORG=REPO=TAG.json files in a folder name.
std::set<std::string> repositories_by_manifest(const fs::path& folder) {
    std::set<std::string> repositories;
    for (const fs::path& file : entries_of(folder)) {
        const std::string name = file.filename().string();
        constexpr std::string_view prefix = "manifest=";
        if (!name.starts_with(prefix) || !name.ends_with(".json")) continue;
        const size_t first = name.find('=', prefix.size()), second = name.find('=', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        std::string repository = name.substr(prefix.size(), second - prefix.size());
        repository[first - prefix.size()] = '/';
        if (is_repository_name(repository)) repositories.insert(repository);
    }
    return repositories;
}

std::string flat_name(const fs::path& folder, const std::string& file, const std::set<std::string>& repositories) {
    for (const std::string& repository : repositories) {
        std::string prefix = repository + "_";
        std::replace(prefix.begin(), prefix.end(), '/', '_');
        if (file.starts_with(prefix)) return fmt::format("hf:{}:{}", repository, file.substr(prefix.size()));
    }
    return (folder / file).string();
}

}  // namespace

std::vector<StoredModel> huggingface_models() {
    std::vector<StoredModel> models;
    for (const fs::path& hub : present_folders(hub_folders(), "huggingface", models)) {
        for (const fs::path& folder : entries_of(hub)) read_repository(hub, folder, models);
    }
    return models;
}

std::vector<StoredModel> llama_cpp_models() {
    std::vector<StoredModel> models;
    for (const fs::path& folder : present_folders(llama_cpp_folders(), "llama.cpp", models)) {
        const std::set<std::string> repositories = repositories_by_manifest(folder);
        for (StoredModel& model : gguf_models_below(folder, "llama.cpp", [&](const std::string& relative) {
                 return flat_name(folder, relative, repositories);
             })) {
            // LLAMA_CACHE holds both layouts; what lies in folders is the hub's.
            if (model.name.find("/models--") == std::string::npos) models.push_back(std::move(model));
        }
    }
    return models;
}

std::vector<StoredModel> own_models() {
    std::vector<StoredModel> models = gguf_models_below(pulled_folder(), "ech0", [](const std::string& relative) {
        const size_t org = relative.find('/'), repo = org == std::string::npos ? org : relative.find('/', org + 1);
        if (repo == std::string::npos) return (pulled_folder() / relative).string();
        return fmt::format("hf:{}:{}", relative.substr(0, repo), relative.substr(repo + 1));
    });
    const fs::path folder = cache_folder() / "models";
    for (const fs::path& file : entries_of(folder)) {
        if (!is_model_file_name(file.filename().string())) continue;
        StoredModel model;
        model.name = file.filename() == "smollm2-135m-instruct-q4_1.gguf" ? "demo" : file.string();
        model.store = "ech0";
        take_files(model, file);
        models.push_back(std::move(model));
    }
    return models;
}

fs::path pulled_folder() { return cache_folder() / "models" / "hf"; }

bool is_repository_name(std::string_view name) {
    const size_t slash = name.find('/');
    return slash != std::string_view::npos && is_plain_name(name.substr(0, slash)) &&
           is_plain_name(name.substr(slash + 1));
}

}  // namespace ech0
