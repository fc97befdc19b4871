#pragma once

#include <string>

#include "ech0/model.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// The anatomy of a model as a page of text.
/// @param with_tensors  list every tensor below it
std::string inspect_text(const Model& model, bool with_tensors, const Look& look = {});

/// The same as "ech0.inspect/1" (docs/json.md), always with every tensor.
Json inspect_json(const Model& model);

/// What it says of a model: all that inspect_text shows; where the weights lie is not in it. @throws FormatError
Model model_from_json(const Json& json);

}  // namespace ech0
