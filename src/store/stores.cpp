#include "store/stores.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/nearest.h"
#include "base/text.h"
#include "ech0/error.h"
#include "store/huggingface.h"
#include "store/lmstudio.h"
#include "store/ollama.h"
#include "store/split_name.h"

namespace ech0 {
namespace {

constexpr size_t most_listed = 12;

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::toupper(c); });
    return out;
}

std::string_view without_extension(std::string_view file) {
    return file.ends_with(".gguf") ? file.substr(0, file.size() - 5) : file;
}

std::string_view file_name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "model-00002-of-00003.gguf" -> "model-00001-of-00003.gguf": any part means the model.
std::string first_part(std::string_view file) {
    const std::optional<SplitName> split = parse_split_name(file_name_of(file));
    return split ? std::string(file.substr(0, file.size() - file_name_of(file).size())) + split->name(1)
                 : std::string(file);
}

// Is the type in the name between marks? "Q4_K_M" is in "m-Q4_K_M.gguf" and in "Q4_K_M/m-00001-of-00002.gguf", "Q4_K"
// is in neither, nor "Q4_XS" in "m-IQ4_XS.gguf".
bool has_type(const std::string& file, const std::string& type) {
    for (size_t at = file.find(type); at != std::string::npos; at = file.find(type, at + 1)) {
        const char before = at == 0 ? '/' : file[at - 1];
        const char after = at + type.size() == file.size() ? '.' : file[at + type.size()];
        if (std::string_view("-._/").find(before) != std::string_view::npos &&
            std::string_view("-./").find(after) != std::string_view::npos)
            return true;
    }
    return false;
}

// A name in two: the repository or folder, and what was said about the file.
struct AskedFile {
    std::string folder, file;
};

AskedFile split_hf(std::string_view name) {
    const size_t colon = name.find(':');
    if (colon == std::string_view::npos) return {std::string(name), ""};
    return {std::string(name.substr(0, colon)), std::string(name.substr(colon + 1))};
}

AskedFile split_lmstudio(std::string_view name) {
    const size_t publisher = name.find('/');
    const size_t model = publisher == std::string_view::npos ? publisher : name.find('/', publisher + 1);
    if (model == std::string_view::npos) return {std::string(name), ""};
    return {std::string(name.substr(0, model)), std::string(name.substr(model + 1))};
}

// One store: its models, and whether the rest of a name (after the prefix) means one of them.
struct Shelf {
    std::string_view prefix;
    std::vector<StoredModel> (*models)();
    bool (*means)(std::string_view asked, std::string_view name);
    std::string_view remedy;
};

bool means_ollama(std::string_view asked, std::string_view name) {
    return upper(ollama_name(asked)) == upper(name);  // Ollama's names do not differ by case
}

bool means_by_file(const AskedFile& asked, const AskedFile& found) {
    if (asked.folder != found.folder) return false;
    return asked.file.empty() || found.file.empty() || means_file(asked.file, found.file);
}

bool means_lmstudio(std::string_view asked, std::string_view name) {
    return means_by_file(split_lmstudio(asked), split_lmstudio(name));
}

bool means_hf(std::string_view asked, std::string_view name) { return means_by_file(split_hf(asked), split_hf(name)); }

void append(std::vector<StoredModel>& all, std::vector<StoredModel> (*read)(), const char* store) {
    try {
        std::vector<StoredModel> more = read();
        std::move(more.begin(), more.end(), std::back_inserter(all));
    } catch (const Error& error) {
        all.push_back(broken_entry(store, store, error.what()));
    }
}

std::vector<StoredModel> models_from_hub() {
    std::vector<StoredModel> all;
    append(all, own_models, "ech0");
    append(all, huggingface_models, "huggingface");
    append(all, llama_cpp_models, "llama.cpp");
    return all;
}

constexpr Shelf shelves[] = {
    {"ollama:", ollama_models, means_ollama, "'ollama pull' fetches it"},
    {"lmstudio:", lmstudio_models, means_lmstudio, "LM Studio fetches it"},
    {"hf:", models_from_hub, means_hf, "'ech0 models pull' fetches it"},
};

const Shelf* shelf_of(std::string_view asked) {
    for (const Shelf& shelf : shelves) {
        if (asked.starts_with(shelf.prefix)) return &shelf;
    }
    return nullptr;
}

// Two stores may have the same model under one name: the first that can be used counts.
void add_once(std::vector<StoredModel>& found, const StoredModel& model) {
    const auto same =
        std::find_if(found.begin(), found.end(), [&](const StoredModel& m) { return m.name == model.name; });
    if (same == found.end())
        found.push_back(model);
    else if (!same->problem.empty() && model.problem.empty())
        *same = model;
}

// A name that is written out in full means that model alone.
std::vector<StoredModel> meant_among(const std::vector<StoredModel>& models, const Shelf& shelf,
                                     std::string_view asked) {
    std::vector<StoredModel> found, exact;
    for (const StoredModel& model : models) {
        if (!model.name.starts_with(shelf.prefix)) continue;
        if (!shelf.means(asked.substr(shelf.prefix.size()), model.name.substr(shelf.prefix.size()))) continue;
        add_once(found, model);
        if (model.name == asked) add_once(exact, model);
    }
    return exact.empty() ? found : exact;
}

std::string joined(const std::vector<std::string>& names) {
    const size_t n = std::min(names.size(), most_listed);
    return fmt::format(
        "{}{}",
        printable(fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<ptrdiff_t>(n), ", ")), 2000),
        names.size() > most_listed ? ", …" : "");
}

// Names that begin as this one does, up to its last mark: other files of a repository, other tags of a model.
std::vector<std::string> siblings(std::string_view asked, const std::vector<std::string>& names) {
    const std::string_view stem = asked.substr(0, asked.find_last_of(":/") + 1);
    std::vector<std::string> found;
    std::copy_if(names.begin(), names.end(), std::back_inserter(found),
                 [&](const std::string& name) { return stem.find(':') + 1 < stem.size() && name.starts_with(stem); });
    return found;
}

[[noreturn]] void refuse_unknown(const Shelf& shelf, std::string_view asked, const std::vector<StoredModel>& models) {
    std::vector<std::string> names, problems;
    for (const StoredModel& model : models) {
        if (model.name.starts_with(shelf.prefix))
            names.push_back(model.name);
        else if (!model.problem.empty())
            problems.push_back(model.problem);  // a whole store that could not be read may have it
    }
    std::string meant = nearest(asked, names);
    if (meant.empty()) meant = nearest(std::string(asked) + ":latest", names);
    const std::vector<std::string> near = siblings(asked, names);
    std::string hint = names.empty()    ? "no model there"
                       : !meant.empty() ? fmt::format("did you mean '{}'?", printable(meant, 400))
                       : !near.empty()  ? "there are " + joined(near)
                                        : fmt::format("there are {}", joined(names));
    if (!problems.empty()) hint += fmt::format(" ({})", fmt::join(problems, "; "));
    throw UsageError(fmt::format("no model '{}' on this machine: {}; {}", printable(asked, 400), hint, shelf.remedy));
}

[[noreturn]] void refuse_ambiguous(std::string_view asked, const std::vector<StoredModel>& found) {
    std::vector<std::string> names;
    for (const StoredModel& model : found) names.push_back(model.name);
    throw UsageError(
        fmt::format("'{}' is {} models: name one of {}", printable(asked, 400), found.size(), joined(names)));
}

}  // namespace

std::vector<StoredModel> stored_models() {
    std::vector<StoredModel> all;
    append(all, own_models, "ech0");
    append(all, ollama_models, "ollama");
    append(all, lmstudio_models, "lmstudio");
    append(all, huggingface_models, "huggingface");
    append(all, llama_cpp_models, "llama.cpp");
    return all;
}

bool is_store_name(std::string_view asked) { return shelf_of(asked) != nullptr; }

std::vector<StoredModel> meant_models(std::string_view asked) {
    const Shelf* const shelf = shelf_of(asked);
    return shelf == nullptr ? std::vector<StoredModel>() : meant_among(shelf->models(), *shelf, asked);
}

StoredModel find_stored_model(std::string_view asked) {
    const Shelf* const shelf = shelf_of(asked);
    if (shelf == nullptr) throw UsageError(fmt::format("'{}' names no store", printable(asked, 400)));
    const std::vector<StoredModel> models = shelf->models();
    const std::vector<StoredModel> found = meant_among(models, *shelf, asked);
    if (found.empty()) refuse_unknown(*shelf, asked, models);
    if (found.size() > 1) refuse_ambiguous(asked, found);
    if (!found[0].problem.empty()) throw FormatError(found[0].name + ": " + found[0].problem);
    return found[0];
}

bool means_file(std::string_view wanted, std::string_view file) {
    if (wanted == file || wanted == file_name_of(file)) return true;
    if (without_extension(wanted) == without_extension(file)) return true;
    if (without_extension(wanted) == without_extension(file_name_of(file))) return true;
    const std::string whole = first_part(wanted);
    if (whole == file || whole == file_name_of(file)) return true;
    return has_type(upper(without_extension(file)), upper(wanted));
}

}  // namespace ech0
