#pragma once

#include <string>

#include "install/change.h"
#include "install/config.h"

namespace ech0 {

/// The files that follow from the settings: config.toml, the production file, and a shell's start file.
struct SettingsFiles {
    bool production = true;  ///< write ~/.ech0_production_config, not only bring one that is there up to date
    std::string shell;       ///< whose start file gets a block; "" = none's
};

/// What writing these settings changes.
/// @throws FormatError as with_config and with_shell_block; FileError
Change settings_change(std::string command, const Config& config, const SettingsFiles& files);

}  // namespace ech0
