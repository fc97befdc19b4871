#pragma once

#include <filesystem>
#include <vector>

#include "ech0/progress.h"
#include "store/hub.h"

namespace ech0 {

/// What a pull brought, or would bring.
struct Pulled {
    std::vector<std::filesystem::path> files;  ///< where they are, in the order of the parts
    int64_t size_bytes = 0;
    int64_t present_bytes = 0;  ///< of these, here before: whole files, and the beginning of one that broke off
};

/// What `pull` would bring.
Pulled plan_pull(const HubModel& model);

/// Fetch a model's files into ech0's own store. A file gets its name when it is whole and has the SHA-256 that the hub
/// lists; until then it is a hidden part beside it, which the next pull of the same file continues, also after Ctrl-C.
/// @throws FileError if the disk is too small (before anything is fetched) or refuses; FormatError if what came is not
///         what the hub lists; NetworkError if the network keeps failing; Interrupted
Pulled pull(const Hub& hub, const HubModel& model, const Progress& progress = {});

}  // namespace ech0
