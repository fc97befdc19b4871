#pragma once

#include <filesystem>
#include <string>

#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {

/// A home of its own with nothing in it: the variables that name stores point into it or nowhere.
struct EmptyHome {
    TemporaryFolder folder;
    TemporaryVariable home{"HOME", folder.path().string()};
    TemporaryVariable cache{"ECH0_CACHE", (folder / "ech0-cache").string()};
    TemporaryVariable ollama{"OLLAMA_MODELS", ""}, lmstudio{"LMSTUDIO_HOME", ""}, hub{"HF_HUB_CACHE", ""},
        old_hub{"HUGGINGFACE_HUB_CACHE", ""}, hf_home{"HF_HOME", ""}, llama{"LLAMA_CACHE", ""},
        xdg{"XDG_CACHE_HOME", ""};
    std::filesystem::path operator/(const std::string& below) const { return folder.path() / below; }
};

/// A real small model at a path whose folders are made.
void put_model(const std::filesystem::path& file, const TinyModel& model = {});

/// A text file at a path whose folders are made.
void put_text(const std::filesystem::path& file, const std::string& text);

/// A model in an Ollama store as Ollama writes it.
/// @param name  HOST/NAMESPACE/NAME/TAG
/// @return the blob that holds the model
std::filesystem::path put_ollama_model(const std::filesystem::path& models, const std::string& name,
                                       const TinyModel& model = {});

/// A manifest with one model layer of that digest.
std::string ollama_manifest(const std::string& digest);

/// A file in a Hugging Face cache as the hub's libraries write it: blob, link and ref.
/// @return the link
std::filesystem::path put_hub_model(const std::filesystem::path& hub, const std::string& folder,
                                    const std::string& file, const TinyModel& model = {});

}  // namespace ech0
