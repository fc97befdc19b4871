#pragma once

#include <string>

#include "compress/compress.h"
#include "ech0/artifact.h"
#include "ech0/evidence.h"
#include "ech0/model.h"
#include "ech0/progress.h"
#include "verify/verify.h"

namespace ech0 {

struct OptimizeOptions {
    CompressOptions compress;  ///< with the size wanted, as bytes or bits per weight; or else
    double ratio = 0;          ///< as a share of the source's size
    VerifyOptions verify;      ///< its calibration text is the one that compress uses
    std::string command;       ///< for the report
};

/// The main job from end to end: what the model is, what was made of it, and what that is worth.
struct Optimization {
    Model model;
    Artifact artifact;
    Evidence evidence;
    std::string command;
    double seconds = 0;
};

/// For a caller who would know before long work begins; optimize checks too.
/// @throws UsageError unless exactly one of bytes, bits per weight and ratio is given
void check(const OptimizeOptions& options);

/// Compress, read what was written as a stranger would, and verify it against the original.
/// @throws UsageError and whatever compress and verify throw
Optimization optimize(const Model& model, const OptimizeOptions& options, const Progress& progress = {});

}  // namespace ech0
