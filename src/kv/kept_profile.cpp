#include "kv/kept_profile.h"

#include <algorithm>

#include "base/file.h"
#include "base/paths.h"
#include "model/model_hash.h"

namespace ech0 {

std::filesystem::path kept_profile_file(const std::string& model_sha256) {
    return cache_folder() / "kv-profiles" / (model_sha256 + ".kvp");
}

KeptProfile kv_profile_of(const Model& model, const KvProfileOptions& options, bool anew, const Progress& progress) {
    KeptProfile kept;
    kept.file = kept_profile_file(sha256_of_model(model, progress));
    if (!anew && std::filesystem::exists(kept.file)) {
        kept.bytes = read_file(kept.file);
        kept.profile = parse_kv_profile(kept.bytes, kept.file.string());
        return kept;
    }
    KvProfileOptions within = options;
    within.n_ctx = std::min(options.n_ctx, model.n_ctx_train);
    kept.profile = calibrate_kv_profile(model, embedded_calibration_text(), within, progress);
    kept.bytes = serialized(kept.profile);
    kept.made_now = true;
    std::filesystem::create_directories(kept.file.parent_path());
    write_file(kept.file, kept.bytes);
    return kept;
}

}  // namespace ech0
