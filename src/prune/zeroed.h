#pragma once

#include "calibrate/moments.h"
#include "prune/structure.h"
#include "runtime/source.h"

namespace ech0 {

/// The source with zeros in place of what is not kept: it puts out what the file that is cut so does, before its
/// repair, and needs no file. Refers to both arguments.
Weights zeroed(const Source& source, const Structure& structure);

/// The same with what stays of each output matrix chosen anew, by least squares on the original's inputs: as the costs
/// of single removals are measured. Refers to all arguments.
Weights made_up(const Source& source, const Structure& structure, const MomentStore& moments);

}  // namespace ech0
