#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// A model that lies in the store of some program. Only its files' names, links and sizes were looked at.
struct StoredModel {
    std::string name;   ///< what to type for MODEL: "ollama:qwen2.5:32b", "hf:ORG/REPO:FILE", or a path
    std::string store;  ///< "ollama", "lmstudio", "huggingface", "llama.cpp", "ech0"
    std::vector<std::filesystem::path> files;  ///< in the order of the parts; empty if there is a problem
    int64_t size_bytes = 0;
    int64_t modified_s = 0;  ///< since 1970; of the newest file
    std::string problem;     ///< why it can't be used, naming the file; empty if it can
};

/// Fill in files, size and time of change. A file that is not there, or a split one that lacks a part, is a problem.
void take_files(StoredModel& model, const std::filesystem::path& first);

/// Every GGUF below a folder that holds a language model, one entry per model: parts of a split one count once, and
/// what goes with a model but is none (vision projectors, importance matrices, draft heads) is left out, and so are
/// hidden files.
/// @param name_of  the name for a file's path relative to the folder
/// @param store    for StoredModel::store
std::vector<StoredModel> gguf_models_below(const std::filesystem::path& folder, const std::string& store,
                                           const std::function<std::string(const std::string& relative)>& name_of);

/// Is that the file name of a language model? As llama.cpp decides it (common/download.cpp, gguf_filename_is_model).
bool is_model_file_name(std::string_view file_name);

/// What may stand between the slashes of a repository's, a publisher's or a model's name: letters, digits, '_', '-',
/// '.', and no '.' in front, so that a name never leaves the folder it is looked up in.
bool is_plain_name(std::string_view name);

/// Does a path, links followed, lie in the folder? False too if either is not there.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

/// Of the folders where a store may be, those that are there, each once. One that may not be entered gets an entry with
/// its problem.
std::vector<std::filesystem::path> present_folders(const std::vector<std::filesystem::path>& candidates,
                                                   const std::string& store, std::vector<StoredModel>& models);

/// Entries of a folder in the order of their names; none if it is not there.
/// @throws FileError naming a folder that can't be read
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

/// An entry that says what is wrong, in place of a model that could be named.
StoredModel broken_entry(const std::string& name, const std::string& store, const std::string& problem);

/// An environment variable, or "" if it is not set.
std::string variable(const char* name);

}  // namespace ech0
