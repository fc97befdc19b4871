#pragma once

#include "prune/structure.h"
#include "runtime/source.h"

namespace ech0 {

/// The source with zeros in place of what is not kept: it puts out what the file that is cut so does, before its
/// repair, and needs no file. Refers to both arguments.
Weights zeroed(const Source& source, const Structure& structure);

}  // namespace ech0
