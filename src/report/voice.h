#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/json.h"
#include "voice/device.h"
#include "voice/engines.h"
#include "voice/voice_parts.h"

namespace ech0 {

/// What the voice could run with, as "ech0.voice/1" (docs/json.md).
Json voice_json(const std::vector<VoiceEngine>& engines, const AudioDevices& devices);
std::string voice_text(const std::vector<VoiceEngine>& engines, const AudioDevices& devices);

/// What `setup --voice` fetches, as "ech0.voice.setup/1" (docs/json.md).
/// @param present  for each part, whether it was there before
Json voice_setup_json(const std::vector<VoicePart>& parts, const std::vector<bool>& present,
                      const std::filesystem::path& folder, bool dry_run);
/// Likewise in words, before it is done.
std::string voice_setup_text(const std::vector<VoicePart>& parts, const std::vector<bool>& present,
                             const std::filesystem::path& folder, bool dry_run);

}  // namespace ech0
