#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace ech0 {

/// The text that activations are gathered on, and where it is from.
struct CalibrationText {
    std::string text;
    std::string name;  ///< "embedded", or the files' names
    std::string sha256;
};

/// The text that comes with ech0: about 120 KB of its own writing, many kinds and languages.
CalibrationText embedded_calibration_text();

/// @throws FileError if one can't be read; UsageError if they are empty
CalibrationText read_calibration_text(std::span<const std::filesystem::path> files);

}  // namespace ech0
