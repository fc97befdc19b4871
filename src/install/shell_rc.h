#pragma once

// One block in a shell's start file, between two marks that are ours: it reads ~/.ech0_production_config if that is
// there.

#include <filesystem>
#include <string>
#include <string_view>

namespace ech0 {

/// The start file of "bash", "zsh" or "fish".
/// @throws UsageError if the shell is another one
std::filesystem::path shell_rc_file(std::string_view shell);

/// The shell that a person uses, by $SHELL: "bash", "zsh", "fish".
/// @throws UsageError if it is another one, or $SHELL is not set
std::string login_shell();

/// The file's text with the block in it: put at the end, or brought up to date where it stands.
/// @param production  the file that the block reads
/// @throws FormatError with the line if a mark stands without its other one
std::string with_shell_block(std::string_view text, std::string_view shell, const std::filesystem::path& production,
                             const std::string& name);

}  // namespace ech0
