#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

using Metadata = std::map<std::string, MetaValue, std::less<>>;

const MetaValue* find_value(const Metadata& metadata, std::string_view key);

// A scalar of that kind under that key; nothing if there is none, or if it is of another kind or an array.
std::optional<int64_t> find_integer(const Metadata& metadata, std::string_view key);
std::optional<double> find_number(const Metadata& metadata, std::string_view key);
std::optional<bool> find_bool(const Metadata& metadata, std::string_view key);
std::optional<std::string> find_string(const Metadata& metadata, std::string_view key);

/// An integer out of a scalar; nothing if it is none or lies beyond int64_t.
std::optional<int64_t> as_integer(const MetaScalar& scalar);

/// What a person is shown: the value of a scalar, "[30 values]" of an array.
std::string display(const MetaValue& value, size_t most = 120);

}  // namespace ech0
