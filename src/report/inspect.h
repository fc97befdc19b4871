#pragma once

#include <string>

#include "ech0/model.h"
#include "report/json.h"

namespace ech0 {

/// The anatomy of a model as a page of text.
/// @param with_tensors  list every tensor below it
std::string inspect_text(const Model& model, bool with_tensors);

/// The same as "ech0.inspect/1" (docs/json.md), always with every tensor.
Json inspect_json(const Model& model);

}  // namespace ech0
