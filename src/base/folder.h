#pragma once

#include <filesystem>

namespace ech0 {

/// Make a folder, with those above it; one that is there stays.
/// @throws FileError
void make_folder(const std::filesystem::path& folder);

}  // namespace ech0
