#pragma once

#include <filesystem>
#include <string>

#include "ech0/model.h"
#include "kv/profile_calibration.h"

namespace ech0 {

/// A model's KV profile, made once and kept in the cache folder under the model's SHA-256.
struct KeptProfile {
    KvProfile profile;
    std::string bytes;           ///< as it is in the file
    std::filesystem::path file;  ///< where it is kept
    bool made_now = false;
};

/// The profile of this model: the kept one, or a new one, which is kept then.
/// @param anew  make it even if there is one
/// @throws UsageError for models whose caches the codec can't work on; FormatError if the kept file is damaged
KeptProfile kv_profile_of(const Model& model, const KvProfileOptions& options, bool anew, const Progress& progress);

/// Where the profile of the model with this hash is, or would be.
std::filesystem::path kept_profile_file(const std::string& model_sha256);

}  // namespace ech0
