#pragma once

#include <string_view>

#include "ech0/model.h"
#include "ech0/progress.h"
#include "store/hub.h"

namespace ech0 {

/// The anatomy of a model that lies on the hub, and what it took to know it.
struct RemoteModel {
    Model model;             ///< its files are heads: what follows the tensor index is a hole
    int64_t read_bytes = 0;  ///< over the network, now
};

/// Read the head of "hf:ORG/REPO[:FILE or type]" by ranges, until the tensor index is whole. The heads are kept in
/// ech0's cache as sparse files of the true size, and used again as long as the hub lists the same SHA-256.
/// `resolve_model` refuses them: a hole has no weights.
/// @throws as find_on_hub and read_model; FormatError if the server sends no ranges
RemoteModel read_remote_model(const Hub& hub, std::string_view asked, const Progress& progress = {});

/// Is that file a head without weights?
bool is_remote_head(const std::filesystem::path& file);

}  // namespace ech0
