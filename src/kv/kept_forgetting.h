#pragma once

// What `kv keep` found out of a model is kept in the cache folder, kv-keeps/MODEL-SHA256/N_CTX.json, so that chat
// forgets tokens only as was measured to hold: with that file, that engine and that length of context.

#include "ech0/model.h"
#include "kv/keep.h"

namespace ech0 {

/// Write what was measured; an older measurement with this context is replaced. @throws FileError
void keep(const KeepReport& report, const Model& model);

/// How a context of n_ctx tokens may be cut down to n_keep: the closest of the measured choices that hold with as many
/// tokens or fewer.
/// @throws UsageError saying what was measured, or what to type to measure it
KeepOptions measured_keeping(const Model& model, int64_t n_ctx, int64_t n_keep, const Progress& progress);

}  // namespace ech0
