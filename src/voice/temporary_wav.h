#pragma once

#include <filesystem>

#include "voice/sound.h"

namespace ech0 {

/// A WAV file for a program that takes no other; gone with the object.
class TemporaryWav {
public:
    /// @throws FileError
    TemporaryWav();  ///< empty, for a program to write
    explicit TemporaryWav(const Sound& sound);
    ~TemporaryWav();
    TemporaryWav(const TemporaryWav&) = delete;
    TemporaryWav& operator=(const TemporaryWav&) = delete;

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path folder_, path_;
};

}  // namespace ech0
