#pragma once

// Engines that are programs of their own, run once for each sentence or turn.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "voice/recognizer.h"
#include "voice/speaker.h"

namespace ech0 {

/// eSpeak NG. @param language  as it names voices: "en-us"
std::unique_ptr<Speaker> espeak_speaker(const std::filesystem::path& program, const std::string& language);

/// whisper.cpp's whisper-cli. @param model  a ggml model
std::unique_ptr<Recognizer> whisper_cpp_recognizer(const std::filesystem::path& program,
                                                   const std::filesystem::path& model, int n_threads);

/// macOS's own voice; nothing elsewhere.
std::optional<std::filesystem::path> find_say();
std::unique_ptr<Speaker> say_speaker(const std::filesystem::path& program, const std::string& voice);

}  // namespace ech0
