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

json to_json(const toml::node& node, const std::string& path, TomlTable::Positions& positions) {
    if (const toml::table* table = node.as_table()) {
        json object = json::object();
        for (const auto& [key, value] : *table) {
            const std::string here = path + std::string(key.str());
            positions[here] = {key.source().begin.line, key.source().begin.column};
            object[std::string(key.str())] = to_json(value, here + "/", positions);
        }
        return object;
    }
    if (const toml::array* array = node.as_array()) {
        json list = json::array();
        for (const toml::node& value : *array)
            list.push_back(to_json(value, fmt::format("{}{}/", path, list.size()), positions));
        return list;
    }
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return integer->get();
    if (const auto* number = node.as_floating_point()) return number->get();
    if (const auto* flag = node.as_boolean()) return flag->get();
    return nullptr;  // dates, which none of our files has
}

toml::table parse_toml(std::string_view text, const std::string& name) {
    try {
        return toml::parse(text, name);
    } catch (const toml::parse_error& error) {
        throw FormatError(fmt::format("{}: line {}, column {}: {}", name, error.source().begin.line,
                                      error.source().begin.column, printable(error.description(), 200)));
    }
}

}  // namespace

TomlTable::TomlTable(const json& table, std::string where, const Positions& positions, std::string path)
    : table_(&table), positions_(&positions), where_(std::move(where)), path_(std::move(path)) {}
TomlTable::~TomlTable() = default;

const json* TomlTable::find(std::string_view key) {
    read_.insert(std::string(key));
    const auto found = table_->find(std::string(key));
    return found == table_->end() ? nullptr : &*found;
}

bool TomlTable::has(std::string_view key) const { return table_->contains(std::string(key)); }

std::string TomlTable::place_of(std::string_view key) const {
    const auto found = positions_->find(path_ + std::string(key));
    if (found == positions_->end()) return where_;
    return fmt::format("{}: line {}, column {}", where_, found->second.first, found->second.second);
}

void TomlTable::refuse(std::string_view key, std::string_view wanted) const {
    const auto found = table_->find(std::string(key));
    throw FormatError(fmt::format("{}: key '{}' is {}, wanted {}", place_of(key), printable(key),
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
        result.emplace_back(element, fmt::format("{}: [[{}]] {}", where_, key, printable(label, 80)), *positions_,
                            fmt::format("{}{}/{}/", path_, key, result.size()));
    }
    return result;
}

std::optional<TomlTable> TomlTable::table(std::string_view key) {
    const json* const value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_object()) refuse(key, fmt::format("a table, [{}]", key));
    return TomlTable(*value, fmt::format("{}: [{}]", where_, key), *positions_, fmt::format("{}{}/", path_, key));
}

void TomlTable::done() const {
    for (const auto& [key, value] : table_->items()) {
        if (!read_.contains(key))
            throw FormatError(fmt::format("{}: key '{}' is not known: misspelt?", place_of(key), printable(key)));
    }
}

TomlDocument::TomlDocument(std::string_view text, std::string name) : name_(std::move(name)) {
    json_ = std::make_unique<json>(to_json(parse_toml(text, name_), "", positions_));
}

TomlDocument::~TomlDocument() = default;

TomlTable TomlDocument::root() const { return {*json_, name_, positions_}; }

namespace {

// Byte of a line and column, both from 1; toml++ counts columns in characters.
size_t offset_of(std::string_view text, const toml::source_position& position) {
    size_t at = 0;
    for (toml::source_index line = 1; line < position.line; line++) at = text.find('\n', at) + 1;
    for (toml::source_index column = 1; column < position.column && at < text.size(); column++) {
        at++;
        while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) at++;
    }
    return at;
}

size_t line_after(std::string_view text, size_t at) {
    const size_t end = text.find('\n', at);
    return end == std::string_view::npos ? text.size() : end + 1;
}

// The first line that is neither empty nor a comment: a key put there stands below the words that open the file.
size_t first_statement(std::string_view text) {
    size_t at = 0;
    while (at < text.size()) {
        const size_t word = text.find_first_not_of(" \t\r", at);
        if (word != std::string_view::npos && text[word] != '#' && text[word] != '\n') return at;
        at = line_after(text, at);
    }
    return at;
}

void insert_line(std::string& text, size_t at, const std::string& line) {
    const bool open_end = at > 0 && text[at - 1] != '\n';
    text.insert(at, (open_end ? "\n" : "") + line + "\n");
}

}  // namespace

std::string with_toml_key(std::string_view text, std::string_view table, std::string_view key, const json& value,
                          const std::string& name) {
    const toml::table document = parse_toml(text, name);
    const toml::table* const owner = table.empty() ? &document : document[table].as_table();
    std::string result(text);
    const std::string line = fmt::format("{} = {}", key, value.dump());  // JSON's texts, numbers and flags are TOML's
    if (owner == nullptr) {
        insert_line(result, result.size(), fmt::format("{}[{}]\n{}", result.empty() ? "" : "\n", table, line));
    } else if (const toml::node* const found = owner->get(key)) {
        const size_t begin = offset_of(text, found->source().begin), end = offset_of(text, found->source().end);
        result.replace(begin, end - begin, value.dump());
    } else if (owner->is_inline()) {
        throw FormatError(
            fmt::format("{}: line {}: table '{}' is written in one line; write it as [{}] with one key "
                        "on a line",
                        name, owner->source().begin.line, table, table));
    } else if (table.empty()) {
        insert_line(result, first_statement(text), line);
    } else {
        insert_line(result, line_after(text, offset_of(text, owner->source().begin)), line);
    }
    parse_toml(result, name);
    return result;
}

}  // namespace ech0
