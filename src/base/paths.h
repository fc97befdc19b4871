#pragma once

#include <filesystem>

namespace ech0 {

/// Where ech0 keeps what it can make or fetch again: $ECH0_CACHE, or ~/.cache/ech0. It may not exist yet.
/// @throws UsageError if neither ECH0_CACHE nor HOME is set
std::filesystem::path cache_folder();

}  // namespace ech0
