#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "voice/sound.h"

namespace ech0 {

/// A WAV file's sound: 16-bit PCM or 32-bit float, 1 to 8 channels (their mean is taken), 4 to 384 kHz. A length that
/// writers to a pipe put because they don't know it yet means: to the end of the file. No byte of it is trusted.
/// @param name  for errors
/// @throws FormatError naming what is wrong, and what is read
Sound parse_wav(std::string_view bytes, const std::string& name);

/// @throws FileError; as parse_wav
Sound read_wav(const std::filesystem::path& file);

/// 16-bit PCM of one channel; what is beyond full scale is clipped.
std::string wav_bytes(const Sound& sound);

/// As wav_bytes; whole or not at all.
/// @throws FileError
void write_wav(const std::filesystem::path& file, const Sound& sound);

}  // namespace ech0
