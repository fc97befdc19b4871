#pragma once

// What the same bytes cost without pruning. Half precision has so much to spare that rounding it to 8 bits usually
// beats any cut to the same size, and whoever prunes for size alone should see that in figures.

#include <string>

#include "compress/judge.h"
#include "runtime/source.h"

namespace ech0 {

/// The whole model, its matrices rounded to one type as the engine does without statistics: the least that ech0
/// compress does better than.
struct Instead {
    std::string type;  ///< empty: no type makes the file so small
    int64_t size_bytes = 0;
    double kl = 0;  ///< nats per token, on the judge's text
};

/// The largest type that fits; the file as it is, if that does.
/// @throws EngineError, Interrupted
Instead quantize_instead(const Source& source, int64_t budget_bytes, const Judge& judge);

}  // namespace ech0
