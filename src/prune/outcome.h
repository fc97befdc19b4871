#pragma once

#include "prune/prune.h"

namespace ech0 {

/// Chunks of held-out text that a pruned file is measured on.
constexpr int64_t judged_chunks = 4;

/// Fill in what a pruning says of the source and of the file that was made; `source_sha256` must be there already.
void describe_files(const Model& source, const Model& made, Pruning& pruning, const Progress& progress);

}  // namespace ech0
