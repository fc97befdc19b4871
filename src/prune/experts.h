#pragma once

// Pruning of mixtures: whole experts, from every layer equally many (the engine knows one number of them), those that
// put out least. Types and everything else stay as they are, so a quantized model stays quantized; nothing is repaired.

#include "prune/prune.h"

namespace ech0 {

/// @throws UsageError (not so many can go, less than one is asked for, a kind that mixtures cannot lose), FileError,
/// EngineError, Interrupted
Pruning prune_experts(const Model& model, const PruneOptions& options, const Progress& progress);

}  // namespace ech0
