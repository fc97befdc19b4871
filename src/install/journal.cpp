#include "install/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/folder.h"
#include "base/paths.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Entry {
    fs::path file;
    Change change;
    std::vector<fs::path> folders;  // that the change made, from the outermost
};

json bytes_json(const std::optional<std::string>& bytes) {
    if (!bytes) return nullptr;
    return json::binary(std::vector<uint8_t>(bytes->begin(), bytes->end()));
}

std::optional<std::string> bytes_of(const json& value) {
    if (value.is_null()) return std::nullopt;
    const auto& bytes = value.get_binary();
    return std::string(bytes.begin(), bytes.end());
}

std::string entry_text(const Entry& entry) {
    json edits = json::array(), folders = json::array();
    for (const FileEdit& edit : entry.change.edits)
        edits.push_back(
            {{"file", edit.file.string()}, {"before", bytes_json(edit.before)}, {"after", bytes_json(edit.after)}});
    for (const fs::path& folder : entry.folders) folders.push_back(folder.string());
    const std::vector<uint8_t> bytes = json::to_cbor({{"format", "ech0.change/1"},
                                                      {"command", entry.change.command},
                                                      {"edits", edits},
                                                      {"folders", folders},
                                                      {"ollama_model", entry.change.ollama_model}});
    return {bytes.begin(), bytes.end()};
}

Entry read_entry(const fs::path& file) {
    try {
        const json read = json::from_cbor(read_file(file));
        Entry entry{file, {read.at("command"), {}, read.at("ollama_model")}, {}};
        for (const json& edit : read.at("edits"))
            entry.change.edits.push_back(
                {edit.at("file").get<std::string>(), bytes_of(edit.at("before")), bytes_of(edit.at("after"))});
        for (const json& folder : read.at("folders")) entry.folders.emplace_back(folder.get<std::string>());
        return entry;
    } catch (const json::exception& error) {
        throw FormatError(fmt::format("{}: a damaged note of a change ({}): put the files back by hand and remove it",
                                      printable(file.string(), 400), printable(error.what())));
    }
}

fs::path changes_folder() { return state_folder() / "changes"; }

/// Numbers of the entries, ascending.
std::vector<int64_t> entry_numbers() {
    std::vector<int64_t> numbers;
    std::error_code failure;
    for (const auto& found : fs::directory_iterator(changes_folder(), failure)) {
        const std::string name = found.path().stem().string();
        const bool is_number = !name.empty() && name.size() < 18 && std::all_of(name.begin(), name.end(), ::isdigit);
        if (found.path().extension() == ".cbor" && is_number) numbers.push_back(std::stoll(name));
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

fs::path entry_file(int64_t number) { return changes_folder() / fmt::format("{}.cbor", number); }

/// Folders on the way to these files that do not exist yet, from the outermost.
std::vector<fs::path> missing_folders(const std::vector<fs::path>& files) {
    std::vector<fs::path> missing;
    std::error_code failure;
    for (const fs::path& file : files) {
        std::vector<fs::path> way;
        for (fs::path folder = file.parent_path(); !folder.empty() && !fs::exists(folder, failure);
             folder = folder.parent_path())
            way.insert(way.begin(), folder);
        for (const fs::path& folder : way)
            if (std::find(missing.begin(), missing.end(), folder) == missing.end()) missing.push_back(folder);
    }
    return missing;
}

void put(const fs::path& file, const std::optional<std::string>& bytes) {
    std::error_code failure;
    if (!bytes) {
        if (!fs::remove(file, failure) && failure)
            throw FileError(fmt::format("remove {}: {}", printable(file.string(), 400), failure.message()));
        return;
    }
    AtomicFile out(file);
    out.write(*bytes);
    const fs::file_status status = fs::status(file, failure);
    if (fs::exists(status)) fs::permissions(out.part(), status.permissions(), failure);
    out.commit();
}

void remove_empty(const std::vector<fs::path>& folders) {
    std::error_code failure;
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) fs::remove(*folder, failure);
}

void take_back(const Entry& entry) {
    std::error_code failure;
    for (auto edit = entry.change.edits.rbegin(); edit != entry.change.edits.rend(); ++edit)
        if (edit_of(edit->file).before != edit->before) put(edit->file, edit->before);
    fs::remove(entry.file, failure);
    remove_empty(entry.folders);
}

}  // namespace

bool apply(const Change& change) {
    Entry entry{{}, change, {}};
    std::erase_if(entry.change.edits, [](const FileEdit& edit) { return !edit.changes(); });
    if (entry.change.edits.empty() && change.ollama_model.empty()) return false;
    const std::vector<int64_t> numbers = entry_numbers();
    entry.file = entry_file(numbers.empty() ? 1 : numbers.back() + 1);
    std::vector<fs::path> files = {entry.file};
    for (const FileEdit& edit : entry.change.edits) files.push_back(edit.file);
    entry.folders = missing_folders(files);
    try {
        make_folder(entry.file.parent_path());
        write_file(entry.file, entry_text(entry));
        for (const FileEdit& edit : entry.change.edits) {
            make_folder(edit.file.parent_path());
            put(edit.file, edit.after);
        }
    } catch (...) {
        take_back(entry);
        throw;
    }
    return true;
}

std::optional<Change> last_change() {
    const std::vector<int64_t> numbers = entry_numbers();
    if (numbers.empty()) return std::nullopt;
    return read_entry(entry_file(numbers.back())).change;
}

void undo_last_change() {
    const std::vector<int64_t> numbers = entry_numbers();
    if (numbers.empty()) return;
    const Entry entry = read_entry(entry_file(numbers.back()));
    for (const FileEdit& edit : entry.change.edits) {
        const std::optional<std::string> now = edit_of(edit.file).before;
        if (now != edit.before && now != edit.after)
            throw UsageError(
                fmt::format("{} was changed after '{}' and is left as it is: nothing was undone; take the "
                            "change out by hand, or put the file back as ech0 left it",
                            printable(edit.file.string(), 400), printable(entry.change.command, 400)));
    }
    take_back(entry);
}

}  // namespace ech0
