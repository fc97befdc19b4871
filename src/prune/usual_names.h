#pragma once

// What pruning plans usually call the scores of heads, channels and layers, beside what ech0 measures in their place;
// and how far the usual plain magnitude would have cut the same.

#include <string>
#include <vector>

#include "prune/method.h"
#include "prune/structure.h"
#include "runtime/source.h"

namespace ech0 {

/// One kind of unit.
struct UsualName {
    std::string unit;              ///< "KV heads", "ffn channels", "layers"
    std::string name;              ///< "Head Importance Score", "FFN magnitude", "redundant layers"
    std::string method;            ///< what stands for it here
    int64_t n_removed = 0;         ///< of layers that stay; or layers
    double same_by_magnitude = 0;  ///< share of these that the least squares of weights, as many, would have taken too
};

/// Of each kind that something was taken from.
std::vector<UsualName> usual_names(const Source& source, const Structure& structure, UnitScore score);

}  // namespace ech0
