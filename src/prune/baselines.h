#pragma once

// The usual scores of units, from their weights or their inputs alone, to compare ours with.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "prune/choose.h"
#include "prune/removal.h"
#include "runtime/source.h"
#include "runtime/walk.h"

namespace ech0 {

/// One layer's one kind of units, and the matrices they run through; the last one's columns are theirs, the others'
/// rows.
struct UnitMatrices {
    std::vector<const Tensor*> matrices;
    int64_t n_units = 0;
};

/// Those of one layer. @throws FormatError if one is not there
UnitMatrices unit_matrices(const Model& model, int64_t layer, UnitKind kind);

/// Squares of each unit's own weights, as a share of all units'.
std::vector<double> magnitude_scores(const Source& source, const UnitMatrices& units);

/// Squares of all weights of each layer.
std::vector<double> layer_magnitudes(const Source& source);

/// Mean of each input column over the chunks, by tensor.
using InputMeans = std::map<std::string, std::vector<double>>;
InputMeans input_means(const Source& source, const Chunks& chunks, int64_t n_ctx, const std::set<std::string>& tensors,
                       int n_threads, const Progress& progress);

/// FLAP: variance of a unit's inputs over the text times the squares of the weights that read them, standardized within
/// the layer. Source: An et al. 2024, "Fluctuation-based Adaptive Structured Pruning" (WIFV, AL-AM).
/// @param mean_square, mean  of each input column
std::vector<double> flap_scores(const Source& source, const UnitMatrices& units, const std::vector<double>& mean_square,
                                const std::vector<double>& mean);

/// Smallest units first, so many a step; a step's error is what its units' scores come to, summed from the first.
/// @param scores  not negative
std::vector<RemovalStep> steps_by_score(const std::vector<double>& scores, int64_t per_step);

}  // namespace ech0
