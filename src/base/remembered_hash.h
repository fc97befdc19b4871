#pragma once

#include <filesystem>
#include <string>

namespace ech0 {

/// What cached_sha256_of_file (sha256.h) remembers of the file as it is now, without reading it; empty if nothing.
std::string remembered_sha256_of_file(const std::filesystem::path& file);

}  // namespace ech0
