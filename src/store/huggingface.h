#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/stored_model.h"

namespace ech0 {

/// Every GGUF model in the Hugging Face cache, where llama.cpp since March 2026 keeps what it fetches too. Named
/// "hf:ORG/REPO:FILE", FILE with its folders.
std::vector<StoredModel> huggingface_models();

/// Every model in the flat cache that llama.cpp had before; those whose repository is known named "hf:ORG/REPO:FILE",
/// the others by their path.
std::vector<StoredModel> llama_cpp_models();

/// What `ech0 models pull` fetched, named "hf:ORG/REPO:FILE", and other models in ech0's cache ("demo", or a path).
std::vector<StoredModel> own_models();

/// Where `ech0 models pull` puts the files of Hugging Face repositories: FOLDER/ORG/REPO/FILE.
/// @throws UsageError if there is no place for a cache
std::filesystem::path pulled_folder();

/// Is that ORG/REPO, both plain names?
bool is_repository_name(std::string_view name);

}  // namespace ech0
