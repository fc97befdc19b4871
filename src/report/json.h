#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "ech0/model.h"

namespace ech0 {

/// Keys in the order they were written, so that what matters comes first for a reader too.
using Json = nlohmann::ordered_json;

/// The object as text for stdout or a file, two spaces deep, with a newline. Bytes that are no UTF-8 (names in a
/// strange GGUF) become U+FFFD.
std::string json_text(const Json& json);

/// A metadata value. An array that is kept only in part is {"array_size": n}.
Json to_json(const MetaValue& value);

Json to_json(const Tensor& tensor);

/// One number if all layers have the same, else an array with one for each.
Json per_layer_json(const std::vector<int64_t>& values);

}  // namespace ech0
