#pragma once

#include "calibrate/text.h"
#include "ech0/progress.h"
#include "kv/profile.h"

namespace ech0 {

struct KvProfileOptions {
    int64_t n_ctx = 1024;       ///< tokens of each piece of text
    int64_t n_chunks = 12;      ///< pieces, spread over the text
    int64_t n_queries = 32;     ///< kept per head
    int64_t n_probe = 2;        ///< pieces that the sensitivity of layers is measured on
    int64_t n_probe_next = 64;  ///< tokens read on with a disturbed cache
    int n_threads = 0;
};

/// Learn what the lossy codec needs of this model (profile.h): one reading of the text, then one short reading-on for K
/// and for V of every layer, disturbed by the codec itself.
/// @throws UsageError for models whose caches the codec can't work on, with the reason
KvProfile calibrate_kv_profile(const Model& model, const CalibrationText& text, const KvProfileOptions& options,
                               const Progress& progress);

}  // namespace ech0
