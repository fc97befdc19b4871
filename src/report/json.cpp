#include "report/json.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace ech0 {
namespace {

Json to_json(const MetaScalar& scalar) {
    return std::visit([](const auto& value) { return Json(value); }, scalar);  // a NaN or infinity becomes null
}

}  // namespace

std::string json_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json to_json(const MetaValue& value) {
    if (!value.is_array) return to_json(value.scalar);
    if (static_cast<int64_t>(value.elements.size()) < value.array_size) return {{"array_size", value.array_size}};
    Json array = Json::array();
    for (const MetaScalar& element : value.elements) array.push_back(to_json(element));
    return array;
}

Json to_json(const Tensor& tensor) {
    return {
        {"name", tensor.name}, {"type", tensor.type_name}, {"shape", tensor.shape}, {"size_bytes", tensor.size_bytes}};
}

Json per_layer_json(const std::vector<int64_t>& values) {
    const bool same =
        !values.empty() && std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
    return same ? Json(values.front()) : Json(values);
}

}  // namespace ech0
