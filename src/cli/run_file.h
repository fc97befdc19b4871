#pragma once

#include <filesystem>

#include "report/json.h"

namespace ech0 {

/// The JSON that a command wrote with --json, checked by docs/json.md. "-" is stdin.
/// @throws FormatError naming the file and what is wrong with it; FileError
Json read_run(const std::filesystem::path& file);

/// Show a file by the system's own opener, in the background. @throws FileError if there is none, or it finds no
/// browser
void open_in_browser(const std::filesystem::path& file);

}  // namespace ech0
