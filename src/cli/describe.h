#pragma once

#include <string>

#include "cli/common.h"

namespace ech0 {

// What a person's shell and manual know of the command line, written from the description that parses it: so neither
// can fall behind.

/// The manual page (roff) of one command; of the program itself if there is none of that name.
std::string man_page(const CommandLine& line, const std::string& command);

/// What completes commands, options and files in "bash", "zsh" or "fish".
/// @throws UsageError if the shell is another one
std::string completions(const CommandLine& line, const std::string& shell);

}  // namespace ech0
