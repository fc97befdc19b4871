#pragma once

#include <string>

#include "ech0/model.h"
#include "ech0/progress.h"

namespace ech0 {

/// The model's hash: of its file, or for a split model of its parts' hashes, one a line. What was computed once is
/// remembered (cached_sha256_of_file). @throws FileError
std::string sha256_of_model(const Model& model, const Progress& progress = {});

/// The same without computing anything; empty if a part's hash is not remembered.
std::string remembered_sha256_of_model(const Model& model);

}  // namespace ech0
