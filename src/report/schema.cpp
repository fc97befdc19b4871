#include "report/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "ech0/error.h"
#include "embedded/json_formats.h"

namespace ech0 {
namespace {

/// A value as the page describes it: what it may be, and what is in it.
struct Node {
    std::set<std::string> types;  // "string", "integer", … ; empty if only its parts are listed
    std::string format;           // the whole of another format: "ech0.verify/1"
    std::string meaning;
    bool required = true;
    std::vector<std::pair<std::string, std::unique_ptr<Node>>> keys;
    std::unique_ptr<Node> element;    // of an array
    std::unique_ptr<Node> any_value;  // under a key of any name

    Node& key(const std::string& name) {
        const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& k) { return k.first == name; });
        if (found != keys.end()) return *found->second;
        return *keys.emplace_back(name, std::make_unique<Node>()).second;
    }
    bool is_object() const { return !keys.empty() || any_value != nullptr; }
};

std::vector<std::string> cells_of(const std::string& row) {
    std::vector<std::string> cells;
    std::string cell;
    for (size_t i = 1; i < row.size(); i++) {
        if (row[i] == '|' && row[i - 1] != '\\') {
            const size_t first = cell.find_first_not_of(' '), last = cell.find_last_not_of(' ');
            cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
            cell.clear();
        } else {
            cell += row[i];
        }
    }
    return cells;
}

/// "options[].memory.*" -> the node that it names, made if need be.
Node& node_at(Node& root, const std::string& path) {
    Node* node = &root;
    std::istringstream parts(path);
    for (std::string part; std::getline(parts, part, '.');) {
        size_t n_arrays = 0;
        for (; part.ends_with("[]"); n_arrays++) part.resize(part.size() - 2);
        if (part == "*") {
            if (!node->any_value) node->any_value = std::make_unique<Node>();
            node = node->any_value.get();
        } else {
            node = &node->key(part);
        }
        for (; n_arrays > 0; n_arrays--) {
            if (!node->element) node->element = std::make_unique<Node>();
            node = node->element.get();
        }
    }
    return *node;
}

void add_row(Node& root, const std::vector<std::string>& cells) {
    if (cells.size() < 3 || !cells[0].starts_with('`') || !cells[0].ends_with('`')) return;
    Node& node = node_at(root, cells[0].substr(1, cells[0].size() - 2));
    std::istringstream words(cells[1]);
    for (std::string word; words >> word;) {
        std::erase(word, '`');
        if (word.starts_with("ech0."))
            node.format = word;
        else if (word != "or")
            node.types.insert(word);
    }
    node.meaning = cells[2];
    node.required = node.meaning.find("absent") == std::string::npos;
}

using Formats = std::vector<std::pair<std::string, Node>>;

const Formats& formats() {
    static const Formats all = [] {
        Formats result;
        std::istringstream page{std::string(embedded::json_formats())};
        for (std::string line; std::getline(page, line);) {
            if (line.starts_with("## "))
                result.emplace_back(line.substr(3), Node());
            else if (line.starts_with("|") && !result.empty())
                add_row(result.back().second, cells_of(line));
        }
        std::erase_if(result, [](const auto& format) { return !format.first.starts_with("ech0."); });
        return result;
    }();
    return all;
}

const Node* find_format(std::string_view name) {
    for (const auto& [known, node] : formats())
        if (known == name) return &node;
    return nullptr;
}

// ---- as JSON Schema

Json schema_of(const Node& node);

Json object_schema(const Node& node) {
    Json properties = Json::object(), required = Json::array();
    for (const auto& [name, child] : node.keys) {
        properties[name] = schema_of(*child);
        // A part that is only named by what is in it may be absent where nothing is.
        if (child->required && (!child->types.empty() || child->element || child->is_object()))
            required.push_back(name);
    }
    Json schema = Json::object();
    if (!node.keys.empty()) schema["properties"] = properties;
    if (!required.empty()) schema["required"] = required;
    if (node.any_value) schema["additionalProperties"] = schema_of(*node.any_value);
    return schema;
}

Json schema_of(const Node& node) {
    Json schema = Json::object();
    if (!node.format.empty()) {
        schema["$ref"] = "#/$defs/" + node.format.substr(0, node.format.find('/'));
        return schema;
    }
    std::set<std::string> types = node.types;
    // "What was not measured is null": whatever is in an object or array that has no type of its own.
    if (types.empty() && node.is_object()) types = {"object", "null"};
    if (types.empty() && node.element) types = {"array", "null"};
    if (!types.contains("any") && !types.empty())
        schema["type"] = types.size() == 1 ? Json(*types.begin()) : Json(types);
    if (node.is_object()) schema.update(object_schema(node));
    if (node.element) schema["items"] = schema_of(*node.element);
    if (!node.meaning.empty()) schema["description"] = node.meaning;
    return schema;
}

void collect_formats(const Node& node, std::set<std::string>& found) {
    if (!node.format.empty() && found.insert(node.format).second) collect_formats(*find_format(node.format), found);
    for (const auto& [name, child] : node.keys) collect_formats(*child, found);
    if (node.element) collect_formats(*node.element, found);
    if (node.any_value) collect_formats(*node.any_value, found);
}

// ---- as a check

std::string type_of(const Json& value) {
    if (value.is_number_integer()) return "integer";
    return value.is_number() ? "number" : value.type_name();
}

struct Check {
    size_t most;
    std::vector<std::string> faults = {};

    void fault(const std::string& path, const std::string& what) {
        if (faults.size() < most) faults.push_back(fmt::format("{} {}", printable(path), what));
    }

    void value(const std::string& path, const Json& found, const Node& node) {
        if (!node.format.empty()) return object(path, found, *find_format(node.format));
        std::set<std::string> types = node.types;
        if (types.empty() && node.is_object()) types = {"object", "null"};
        if (types.empty() && node.element) types = {"array", "null"};
        const bool fits = types.contains("any") || types.contains(type_of(found)) ||
                          (found.is_number_integer() && types.contains("number"));
        if (!fits) return fault(path, fmt::format("is {}, wanted {}", type_of(found), fmt::join(types, " or ")));
        if (found.is_object() && node.is_object()) object(path, found, node);
        if (found.is_array() && node.element)
            for (size_t i = 0; i < found.size(); i++) value(fmt::format("{}[{}]", path, i), found[i], *node.element);
    }

    void object(const std::string& path, const Json& found, const Node& node) {
        if (!found.is_object()) return fault(path, fmt::format("is {}, wanted object", type_of(found)));
        const std::string prefix = path.empty() ? "" : path + ".";
        for (const auto& [name, child] : node.keys) {
            const auto at = found.find(name);
            if (at != found.end())
                value(prefix + name, *at, *child);
            else if (child->required)
                fault(prefix + name, "is missing");
        }
        if (!node.any_value) return;
        for (const auto& [name, child] : found.items()) value(prefix + name, child, *node.any_value);
    }
};

}  // namespace

std::vector<std::string> schema_names() {
    std::vector<std::string> names;
    for (const auto& [name, node] : formats()) names.push_back(name);
    return names;
}

Json json_schema(std::string_view name) {
    const Node* const node = find_format(name);
    if (node == nullptr)
        throw UsageError(fmt::format("no format '{}'; there are {}", printable(name), fmt::join(schema_names(), ", ")));
    Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", name}, {"type", "object"}};
    schema.update(object_schema(*node));
    schema["properties"]["schema"] = {{"const", name}};
    std::set<std::string> others;
    collect_formats(*node, others);
    for (const std::string& other : others) {
        Json def = {{"type", "object"}};
        def.update(object_schema(*find_format(other)));
        schema["$defs"][other.substr(0, other.find('/'))] = def;
    }
    return schema;
}

std::vector<std::string> schema_faults(const Json& run, size_t most) {
    if (!run.is_object()) return {fmt::format("it is {}, wanted an object", type_of(run))};
    const auto schema = run.find("schema");
    if (schema == run.end() || !schema->is_string())
        return {"it has no 'schema' that says what it is; ech0 writes one with --json"};
    const Node* const node = find_format(schema->get<std::string>());
    if (node == nullptr)
        return {fmt::format("its schema is '{}', this ech0 reads {}", printable(schema->get<std::string>()),
                            fmt::join(schema_names(), ", "))};
    Check check{most};
    check.object("", run, *node);
    return check.faults;
}

}  // namespace ech0
