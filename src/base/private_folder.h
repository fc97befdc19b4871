#pragma once

#include <filesystem>

namespace ech0 {

/// Make a folder, with those above it, that its owner alone may look into; one that is there stays as it is.
/// @throws FileError
void make_private_folder(const std::filesystem::path& folder);

}  // namespace ech0
