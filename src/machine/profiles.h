#pragma once

#include <string_view>
#include <vector>

#include "ech0/machine.h"

namespace ech0 {

/// The [[machine]] tables of a TOML text (docs/machines.md has the keys). Strict, since a mistyped key would be a
/// figure that silently stays unknown: every key must be known, of its type and plausible, every name given once.
/// @param file  what errors call it
/// @throws FormatError naming file, machine and key, what was found and what was wanted
std::vector<Machine> parse_profiles(std::string_view toml, std::string_view file);

}  // namespace ech0
