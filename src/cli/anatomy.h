#pragma once

#include <string>

#include "ech0/model.h"

namespace ech0 {

/// A model for those who only look at it: its file, a blueprint, or the head of a file on the hub, fetched now.
/// @throws as read_model and read_remote_model
Model read_anatomy(const std::string& asked);

}  // namespace ech0
