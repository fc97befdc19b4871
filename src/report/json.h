#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "ech0/error.h"
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

/// What `read` makes of some JSON, with whatever nlohmann says of a missing key or wrong type as one named error.
/// @throws FormatError
template <class Read>
auto read_json(std::string_view what, const Read& read) {
    try {
        return read();
    } catch (const Json::exception& error) {
        throw FormatError("no " + std::string(what) + ": " + error.what());
    }
}

/// The same of a report, which says itself what it is.
template <class Read>
auto from_json(std::string_view schema, const Json& json, const Read& read) {
    return read_json(schema, [&] {
        if (json.at("schema") != schema)
            throw FormatError("schema " + json.at("schema").dump() + ", wanted " + std::string(schema));
        return read();
    });
}

/// One number if all layers have the same, else an array with one for each.
Json per_layer_json(const std::vector<int64_t>& values);

}  // namespace ech0
