#include "model/metadata.h"

#include <limits>

#include <fmt/format.h>

#include "base/text.h"

namespace ech0 {
namespace {

const MetaScalar* find_scalar(const Metadata& metadata, std::string_view key) {
    const MetaValue* const value = find_value(metadata, key);
    return value == nullptr || value->is_array ? nullptr : &value->scalar;
}

template <typename T>
std::optional<T> find_as(const Metadata& metadata, std::string_view key) {
    const MetaScalar* const scalar = find_scalar(metadata, key);
    if (scalar == nullptr || !std::holds_alternative<T>(*scalar)) return std::nullopt;
    return std::get<T>(*scalar);
}

std::string display(const MetaScalar& scalar, size_t most) {
    if (const auto* text = std::get_if<std::string>(&scalar)) return printable(*text, most);
    if (const auto* truth = std::get_if<bool>(&scalar)) return *truth ? "true" : "false";
    if (const auto* number = std::get_if<double>(&scalar)) return fmt::format("{:g}", *number);
    if (const auto* natural = std::get_if<uint64_t>(&scalar)) return std::to_string(*natural);
    return std::to_string(std::get<int64_t>(scalar));
}

}  // namespace

const MetaValue* find_value(const Metadata& metadata, std::string_view key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? nullptr : &found->second;
}

std::optional<int64_t> as_integer(const MetaScalar& scalar) {
    if (const auto* whole = std::get_if<int64_t>(&scalar)) return *whole;
    const auto* natural = std::get_if<uint64_t>(&scalar);
    if (natural == nullptr || *natural > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        return std::nullopt;
    return static_cast<int64_t>(*natural);
}

std::optional<int64_t> find_integer(const Metadata& metadata, std::string_view key) {
    const MetaScalar* const scalar = find_scalar(metadata, key);
    return scalar == nullptr ? std::nullopt : as_integer(*scalar);
}

std::optional<double> find_number(const Metadata& metadata, std::string_view key) {
    return find_as<double>(metadata, key);
}
std::optional<bool> find_bool(const Metadata& metadata, std::string_view key) { return find_as<bool>(metadata, key); }
std::optional<std::string> find_string(const Metadata& metadata, std::string_view key) {
    return find_as<std::string>(metadata, key);
}

std::string display(const MetaValue& value, size_t most) {
    return value.is_array ? fmt::format("[{} values]", value.array_size) : display(value.scalar, most);
}

}  // namespace ech0
