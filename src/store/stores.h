#pragma once

#include <string_view>
#include <vector>

#include "store/stored_model.h"

namespace ech0 {

/// Every model in every store on this machine, store by store. Nothing is copied or changed, no file is read but the
/// stores' own lists. What is broken is in the list too, with its problem.
std::vector<StoredModel> stored_models();

/// Does MODEL name a model of a store ("ollama:…", "lmstudio:…", "hf:…")?
bool is_store_name(std::string_view asked);

/// The one model that a name means:
///   ollama:[HOST/][NAMESPACE/]NAME[:TAG]   as Ollama reads it; TAG is "latest" if not given
///   lmstudio:PUBLISHER/MODEL[/FILE]
///   hf:ORG/REPO[:FILE or type]             in ech0's own store, the hub's cache, or llama.cpp's
/// FILE may lack folders and ".gguf"; instead of FILE a type may stand that its name has, as "Q4_K_M". Without it the
/// folder must hold one model.
/// @throws UsageError if there is none (did-you-mean) or more than one (all are named); FormatError if it is broken
StoredModel find_stored_model(std::string_view asked);

/// All models that a name may mean, with the broken ones.
std::vector<StoredModel> meant_models(std::string_view asked);

/// Does "FILE or type" mean this file of a repository? As in `find_stored_model`.
bool means_file(std::string_view wanted, std::string_view file);

}  // namespace ech0
