#pragma once

#include <cstdint>
#include <string>

#include "ech0/evidence.h"
#include "ech0/plan.h"

namespace ech0 {

/// A file that was made: where it is, what it weighs, how it came to be.
struct Artifact {
    std::string source_path, source_sha256;
    std::string path, sha256;
    int64_t size_bytes = 0;
    double bits_per_weight = 0;
    Plan plan;
    double seconds = 0;
    int64_t peak_memory_bytes = 0;
    int64_t predicted_peak_memory_bytes = 0;  ///< before the work began
    int64_t moment_columns = 0;               ///< of wide inputs, whose second moments were kept together
};

}  // namespace ech0
