#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ech0 {

/// The absolute folders of PATH, in its order: whatever lies in the current folder is not installed.
std::vector<std::filesystem::path> program_folders();

/// Can this file be run?
bool is_program(const std::filesystem::path& file);

/// A program of this name in the folders of PATH.
std::optional<std::filesystem::path> find_program(const std::string& name);

}  // namespace ech0
