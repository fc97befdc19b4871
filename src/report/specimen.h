#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// A piece of a model to look at closely: consecutive weights of one row, as they are in the file.
struct Specimen {
    std::string tensor, type_name;
    int64_t row = 0, first_column = 0;
    std::vector<float> weights;
};

/// 256 weights (a super-block, or the row if it is shorter) from the middle of the feed-forward part of the middle
/// layer; none if the model has no weights, or no such part. @throws FileError
std::vector<Specimen> specimens(const Model& model);

}  // namespace ech0
