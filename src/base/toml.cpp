#include "base/toml.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using nlohmann::json;

json to_json(const toml::node& node) {
    if (const toml::table* table = node.as_table()) {
        json object = json::object();
        for (const auto& [key, value] : *table) object[std::string(key.str())] = to_json(value);
        return object;
    }
    if (const toml::array* array = node.as_array()) {
        json list = json::array();
        for (const toml::node& value : *array) list.push_back(to_json(value));
        return list;
    }
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return integer->get();
    if (const auto* number = node.as_floating_point()) return number->get();
    if (const auto* flag = node.as_boolean()) return flag->get();
    return nullptr;  // dates, which none of our files has
}

}  // namespace

TomlTable::TomlTable(const json& table, std::string where) : table_(&table), where_(std::move(where)) {}
TomlTable::~TomlTable() = default;

const json* TomlTable::find(std::string_view key) {
    read_.insert(std::string(key));
    const auto found = table_->find(std::string(key));
    return found == table_->end() ? nullptr : &*found;
}

bool TomlTable::has(std::string_view key) const { return table_->contains(std::string(key)); }

void TomlTable::refuse(std::string_view key, std::string_view wanted) const {
    const auto found = table_->find(std::string(key));
    throw FormatError(fmt::format("{}: key '{}' is {}, wanted {}", where_, printable(key),
                                  found == table_->end() ? "missing" : printable(found->dump(), 80), wanted));
}

std::string TomlTable::text(std::string_view key) {
    const json* const value = find(key);
    if (value == nullptr || !value->is_string() || value->get_ref<const std::string&>().empty()) refuse(key, "a text");
    return value->get<std::string>();
}

int64_t TomlTable::integer(std::string_view key, int64_t least) {
    const json* const value = find(key);
    if (value == nullptr || !value->is_number_integer() || value->get<int64_t>() < least)
        refuse(key, fmt::format("a whole number of at least {}", least));
    return value->get<int64_t>();
}

double TomlTable::number(std::string_view key, double least) {
    const json* const value = find(key);
    if (value == nullptr || !value->is_number() || !std::isfinite(value->get<double>()) || value->get<double>() < least)
        refuse(key, fmt::format("a number of at least {}", least));
    return value->get<double>();
}

std::string TomlTable::text_or(std::string_view key, std::string otherwise) {
    const json* const value = find(key);
    if (value != nullptr && !value->is_string()) refuse(key, "a text");
    return value == nullptr ? std::move(otherwise) : value->get<std::string>();
}

int64_t TomlTable::integer_or(std::string_view key, int64_t otherwise, int64_t least) {
    return find(key) == nullptr ? otherwise : integer(key, least);
}

double TomlTable::number_or(std::string_view key, double otherwise, double least) {
    return find(key) == nullptr ? otherwise : number(key, least);
}

bool TomlTable::flag_or(std::string_view key, bool otherwise) {
    const json* const value = find(key);
    if (value != nullptr && !value->is_boolean()) refuse(key, "true or false");
    return value == nullptr ? otherwise : value->get<bool>();
}

std::vector<std::string> TomlTable::texts(std::string_view key) {
    std::vector<std::string> result;
    const json* const value = find(key);
    if (value == nullptr) return result;
    if (!value->is_array()) refuse(key, "a list of texts");
    for (const json& element : *value) {
        if (!element.is_string()) refuse(key, "a list of texts");
        result.push_back(element.get<std::string>());
    }
    return result;
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) {
    std::vector<TomlTable> result;
    const json* const value = find(key);
    if (value == nullptr) return result;
    if (!value->is_array()) refuse(key, "a list of tables");
    for (const json& element : *value) {
        if (!element.is_object()) refuse(key, "a list of tables");
        const auto name = element.find("name");
        const std::string label = name != element.end() && name->is_string() ? name->get<std::string>()
                                                                             : fmt::format("{}", result.size() + 1);
        result.emplace_back(element, fmt::format("{}: [[{}]] {}", where_, key, printable(label, 80)));
    }
    return result;
}

void TomlTable::done() const {
    for (const auto& [key, value] : table_->items()) {
        if (!read_.contains(key))
            throw FormatError(fmt::format("{}: key '{}' is not known: misspelt?", where_, printable(key)));
    }
}

TomlDocument::TomlDocument(std::string_view text, std::string name) : name_(std::move(name)) {
    try {
        json_ = std::make_unique<json>(to_json(toml::parse(text, name_)));
    } catch (const toml::parse_error& error) {
        throw FormatError(fmt::format("{}: line {}, column {}: {}", name_, error.source().begin.line,
                                      error.source().begin.column, printable(error.description(), 200)));
    }
}

TomlDocument::~TomlDocument() = default;

TomlTable TomlDocument::root() const { return {*json_, name_}; }

}  // namespace ech0
