#pragma once

#include <filesystem>

namespace ech0 {

/// Where ech0 keeps what it can make or fetch again: $ECH0_CACHE, or ~/.cache/ech0. It may not exist yet.
/// @throws UsageError if neither ECH0_CACHE nor HOME is set
std::filesystem::path cache_folder();

/// Where a person's own settings are: $ECH0_CONFIG, or ech0 in $XDG_CONFIG_HOME, or ~/.config/ech0. It may not exist.
/// @throws UsageError if none of ECH0_CONFIG, XDG_CONFIG_HOME and HOME is set
std::filesystem::path config_folder();

/// Where ech0 keeps what happened: history of chats, what `undo` needs. $ECH0_STATE, or ech0 in $XDG_STATE_HOME, or
/// ~/.local/state/ech0. It may not exist.
/// @throws UsageError if none of ECH0_STATE, XDG_STATE_HOME and HOME is set
std::filesystem::path state_folder();

/// @throws UsageError if HOME is not set
std::filesystem::path home_folder();

}  // namespace ech0
