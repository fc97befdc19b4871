#pragma once

#include "compress/repair.h"
#include "compress/rounding_options.h"

#include <ggml.h>

namespace ech0 {

/// Error of a matrix Q on inputs y, against what the original W puts out plus what the stream has lost:
/// mean |W x + r - Q y|^2 over tokens, less the part that does not depend on Q. From moments alone.
/// @param w, q  [n_rows, n]; rows of moments.s belong to rows of w
double output_error(const Matrix& w, const Matrix& q, const InputMoments& moments);

/// Shrinkage, step, stream step and ridge, each in turn the one of a few that does best on text held out: some rows are
/// really fitted and rounded with the moments of one part of the chunks and judged by those of the other.
/// @param w  [n_rows, n] a sample of rows, at most tile_rows; moments.s of both have the same rows
/// @return `options` with the settings chosen
RoundingOptions choose_settings(ggml_type type, const Matrix& w, const InputMoments& fitted, const InputMoments& held,
                                RoundingOptions options);

}  // namespace ech0
