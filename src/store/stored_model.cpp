#include "store/stored_model.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/text.h"
#include "ech0/error.h"
#include "store/split_name.h"

namespace ech0 {

namespace fs = std::filesystem;

namespace {

// Of folders below a store; PUBLISHER/MODEL/PART is the deepest in use. Links to folders are followed (people keep
// models on another disk), so this also ends a loop of them.
constexpr int most_levels = 3;

std::string shown(const fs::path& path) { return printable(path.string(), 400); }

// Why there is no file at a path, or "" if there is one.
std::string fault_of(const fs::path& file) {
    std::error_code failure;
    const fs::file_status status = fs::status(file, failure);
    if (fs::is_regular_file(status)) return "";
    std::error_code no_link;
    const fs::path target = fs::read_symlink(file, no_link);
    if (!no_link && !fs::exists(status))
        return fmt::format("{} points to {}, which is not there: fetch the model again", shown(file), shown(target));
    if (!fs::exists(status))
        return failure && failure != std::errc::no_such_file_or_directory
                   ? fmt::format("{}: {}", shown(file), failure.message())
                   : fmt::format("{} is not there: fetch the model again", shown(file));
    return fmt::format("{} is no file", shown(file));
}

// Parts of a split model but the first are reached through the first; if that is missing, through the first there is.
bool is_first_of_its_parts(const fs::path& file, std::set<std::string>& seen) {
    const std::optional<SplitName> split = parse_split_name(file.filename().string());
    return !split || seen.insert((file.parent_path() / split->name(1)).string()).second;
}

void collect(const fs::path& folder, int levels_left, std::vector<fs::path>& found) {
    std::set<std::string> seen;
    for (const fs::path& entry : entries_of(folder)) {
        const std::string name = entry.filename().string();
        std::error_code failure;
        if (name.starts_with('.')) continue;
        if (fs::is_directory(entry, failure)) {
            if (levels_left > 0) collect(entry, levels_left - 1, found);
        } else if (is_model_file_name(name) && is_first_of_its_parts(entry, seen)) {
            found.push_back(entry);
        }
    }
}

}  // namespace

void take_files(StoredModel& model, const fs::path& first) {
    std::vector<fs::path> files = {first};
    try {
        if (const auto split = parse_split_name(first.filename().string())) files = split_parts(first, *split);
    } catch (const UsageError& error) {
        model.problem = error.what();
        return;
    }
    for (const fs::path& file : files) {
        if (model.problem = fault_of(file); !model.problem.empty()) return;
        struct stat facts = {};
        if (::stat(file.c_str(), &facts) != 0) continue;
        model.size_bytes += static_cast<int64_t>(facts.st_size);
        model.modified_s = std::max(model.modified_s, static_cast<int64_t>(facts.st_mtime));
    }
    model.files = std::move(files);
}

std::vector<StoredModel> gguf_models_below(const fs::path& folder, const std::string& store,
                                           const std::function<std::string(const std::string&)>& name_of) {
    std::vector<fs::path> found;
    collect(folder, most_levels, found);
    std::vector<StoredModel> models;
    for (const fs::path& file : found) {
        StoredModel model;
        model.name = name_of(file.lexically_relative(folder).generic_string());
        model.store = store;
        take_files(model, file);
        models.push_back(std::move(model));
    }
    return models;
}

bool is_model_file_name(std::string_view file_name) {
    if (!file_name.ends_with(".gguf")) return false;
    for (const std::string_view other : {"mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-"}) {
        if (file_name.find(other) != std::string_view::npos) return false;
    }
    return true;
}

bool is_plain_name(std::string_view name) {
    const auto plain = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
    };
    return !name.empty() && name.size() <= 96 && name.front() != '.' && std::all_of(name.begin(), name.end(), plain);
}

bool lies_in(const fs::path& path, const fs::path& folder) {
    std::error_code failure;
    const fs::path inner = fs::canonical(path, failure);
    if (failure) return false;
    const fs::path outer = fs::canonical(folder, failure);
    if (failure) return false;
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

std::vector<fs::path> present_folders(const std::vector<fs::path>& candidates, const std::string& store,
                                      std::vector<StoredModel>& models) {
    std::vector<fs::path> folders;
    std::set<fs::path> seen;
    for (const fs::path& candidate : candidates) {
        std::error_code failure;
        const fs::path folder = fs::canonical(candidate, failure);
        const bool absent = failure == std::errc::no_such_file_or_directory || failure == std::errc::not_a_directory;
        if (failure && !absent)
            models.push_back(
                broken_entry(candidate.string(), store, fmt::format("{}: {}", shown(candidate), failure.message())));
        if (!failure && seen.insert(folder).second) folders.push_back(folder);
    }
    return folders;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
    std::error_code failure;
    std::vector<fs::path> entries;
    fs::directory_iterator at(folder, failure);
    if (failure == std::errc::no_such_file_or_directory || failure == std::errc::not_a_directory) return entries;
    for (; !failure && at != fs::directory_iterator(); at.increment(failure)) entries.push_back(at->path());
    if (failure) throw FileError(fmt::format("read the folder {}: {}", shown(folder), failure.message()));
    std::sort(entries.begin(), entries.end());
    return entries;
}

StoredModel broken_entry(const std::string& name, const std::string& store, const std::string& problem) {
    StoredModel entry;
    entry.name = name;
    entry.store = store;
    entry.problem = problem;
    return entry;
}

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

}  // namespace ech0
