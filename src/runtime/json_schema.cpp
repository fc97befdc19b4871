#include "runtime/json_schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using Json = nlohmann::ordered_json;

// Between values at most one blank or one line break: a model that may write blanks for ever sometimes does.
constexpr const char* common_rules = R"GBNF(ws ::= ( " " | "\n" [ \t]{0,20} )?
char ::= [^"\\\x7F\x00-\x1F] | [\\] ( ["\\/bfnrt] | "u" [0-9a-fA-F]{4} )
string ::= "\"" char* "\""
integer ::= "-"? ( "0" | [1-9] [0-9]{0,15} )
number ::= integer ( "." [0-9]{1,16} )? ( [eE] [-+]? [0-9]{1,3} )?
boolean ::= "true" | "false"
null ::= "null"
value ::= object | array | string | number | boolean | null
object ::= "{" ws ( string ":" ws value ( ws "," ws string ":" ws value )* )? ws "}"
array ::= "[" ws ( value ( ws "," ws value )* )? ws "]"
)GBNF";

// A literal of the grammar that is this text.
std::string literal(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            quoted += std::string("\\") + c;
        else if (c == '\n')
            quoted += "\\n";
        else
            quoted += c;
    }
    return quoted + "\"";
}

class Converter {
public:
    explicit Converter(const Json& schema) : whole_(schema) {}

    std::string grammar() {
        const std::string root = expression(whole_, "#");
        std::string text = "root ::= " + root + "\n" + common_rules;
        for (const auto& [name, rule] : rules_) text += name + " ::= " + rule + "\n";
        return text;
    }

private:
    [[noreturn]] static void refuse(const std::string& place, std::string_view why) {
        throw UsageError(fmt::format("--json-schema: {}: {}", printable(place), why));
    }

    static void check_keys(const Json& schema, const std::string& place) {
        static const std::set<std::string> known = {"type",        "properties", "required",  "additionalProperties",
                                                    "items",       "minItems",   "maxItems",  "enum",
                                                    "const",       "anyOf",      "oneOf",     "allOf",
                                                    "$ref",        "minLength",  "maxLength", "$defs",
                                                    "definitions", "$schema",    "$id",       "title",
                                                    "description", "default",    "examples",  "$comment",
                                                    "strict",      "name"};
        for (const auto& [key, value] : schema.items())
            if (!known.contains(key)) refuse(place, fmt::format("'{}' can't be put into a grammar", printable(key)));
    }

    static int64_t count(const Json& schema, const char* key, int64_t otherwise, const std::string& place) {
        const auto found = schema.find(key);
        if (found == schema.end()) return otherwise;
        if (!found->is_number_integer() || found->get<int64_t>() < 0 || found->get<int64_t>() > 10000)
            refuse(place, fmt::format("'{}' is {}, wanted 0 to 10000", key, printable(found->dump())));
        return found->get<int64_t>();
    }

    std::string alternatives(const Json& list, const std::string& place) {
        if (!list.is_array() || list.empty()) refuse(place, "wanted a list that is not empty");
        std::vector<std::string> parts;
        for (size_t i = 0; i < list.size(); i++) parts.push_back(expression(list[i], fmt::format("{}/{}", place, i)));
        return fmt::format("( {} )", fmt::join(parts, " | "));
    }

    std::string string_rule(const Json& schema, const std::string& place) {
        const int64_t least = count(schema, "minLength", 0, place), most = count(schema, "maxLength", -1, place);
        if (least == 0 && most < 0) return "string";
        if (most >= 0 && most < least) refuse(place, "maxLength is less than minLength");
        return fmt::format("\"\\\"\" char{{{},{}}} \"\\\"\"", least, most < 0 ? "" : std::to_string(most));
    }

    std::string array_rule(const Json& schema, const std::string& place) {
        const int64_t least = count(schema, "minItems", 0, place), most = count(schema, "maxItems", -1, place);
        if (most >= 0 && most < least) refuse(place, "maxItems is less than minItems");
        if (most == 0) return "\"[\" ws \"]\"";
        const std::string item = schema.contains("items") ? expression(schema["items"], place + "/items") : "value";
        const std::string more = fmt::format("( ws \",\" ws {} ){{{},{}}}", item, std::max<int64_t>(0, least - 1),
                                             most < 0 ? "" : std::to_string(most - 1));
        const std::string some = fmt::format("{} {}", item, more);
        return fmt::format("\"[\" ws {} ws \"]\"", least > 0 ? some : fmt::format("( {} )?", some));
    }

    /// Members from the i-th on, the first of them with a comma before it if one was written.
    /// Required ones must come, others may: what follows a missing one is the same list without it.
    std::string members(const std::vector<std::pair<std::string, bool>>& list, size_t i, bool comma,
                        const std::string& prefix) {
        if (i == list.size()) return "\"\"";
        const std::string name = fmt::format("{}-{}-{}", prefix, i, comma ? "c" : "n");
        if (!rules_.contains(name)) {
            rules_[name] = "";
            const std::string with =
                (comma ? "ws \",\" ws " : "") + list[i].first + " " + members(list, i + 1, true, prefix);
            rules_[name] = list[i].second ? with : with + " | " + members(list, i + 1, comma, prefix);
        }
        return name;
    }

    std::string object_rule(const Json& schema, const std::string& place) {
        const bool open = schema.contains("additionalProperties") && schema["additionalProperties"] != false;
        if (!schema.contains("properties") || schema["properties"].empty()) {
            if (!open) return schema.contains("additionalProperties") ? "\"{\" ws \"}\"" : "object";
            const Json& more = schema["additionalProperties"];
            const std::string value = more.is_object() ? expression(more, place + "/additionalProperties") : "value";
            return fmt::format("\"{{\" ws ( string \":\" ws {0} ( ws \",\" ws string \":\" ws {0} )* )? ws \"}}\"",
                               value);
        }
        if (!schema["properties"].is_object()) refuse(place, "'properties' is no object");
        std::set<std::string> required;
        for (const Json& name : schema.value("required", Json::array())) {
            if (!name.is_string() || !schema["properties"].contains(name.get<std::string>()))
                refuse(place, fmt::format("'required' names {}, which is no property", printable(name.dump())));
            required.insert(name);
        }
        std::vector<std::pair<std::string, bool>> list;
        for (const auto& [name, property] : schema["properties"].items())
            list.emplace_back(literal(Json(name).dump() + ":") + " ws " + expression(property, place + "/" + name),
                              required.contains(name));
        const std::string prefix = fmt::format("object-{}", n_objects_++);
        return fmt::format("\"{{\" ws {} ws \"}}\"", members(list, 0, false, prefix));
    }

    // One object with the properties of all.
    Json merged(const Json& list, const std::string& place) const {
        Json all = {{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
        if (!list.is_array()) refuse(place, "'allOf' is no list");
        for (const Json& part : list) {
            const Json& schema = part.contains("$ref") ? target(part["$ref"], place) : part;
            if (!schema.contains("properties")) refuse(place, "'allOf' of something else than objects");
            for (const auto& [name, property] : schema["properties"].items()) all["properties"][name] = property;
            for (const Json& name : schema.value("required", Json::array())) all["required"].push_back(name);
        }
        return all;
    }

    const Json& target(const Json& ref, const std::string& place) const {
        const std::string path = ref.is_string() ? ref.get<std::string>() : "";
        if (!path.starts_with("#")) refuse(place, "'$ref' leads out of the schema");
        try {
            return whole_.at(Json::json_pointer(path.substr(1)));
        } catch (const Json::exception&) {
            refuse(place, fmt::format("'$ref' {} leads nowhere", printable(path)));
        }
    }

    // A rule of its own, made once: schemas may contain themselves.
    std::string reference(const Json& ref, const std::string& place) {
        const Json& schema = target(ref, place);
        const auto [found, is_new] =
            references_.try_emplace(ref.get<std::string>(), fmt::format("ref-{}", references_.size()));
        const std::string name = found->second;
        if (is_new) rules_[name] = expression(schema, ref.get<std::string>());
        return name;
    }

    std::string of_type(const std::string& type, const Json& schema, const std::string& place) {
        if (type == "string") return string_rule(schema, place);
        if (type == "object") return object_rule(schema, place);
        if (type == "array") return array_rule(schema, place);
        if (type == "integer" || type == "number" || type == "boolean" || type == "null") return type;
        refuse(place, fmt::format("no type '{}'", printable(type)));
    }

    std::string expression(const Json& schema, const std::string& place) {
        if (schema == true) return "value";
        if (!schema.is_object()) refuse(place, "wanted a schema: an object, or true");
        check_keys(schema, place);
        if (schema.contains("$ref")) return reference(schema["$ref"], place);
        if (schema.contains("const")) return literal(schema["const"].dump());
        if (schema.contains("enum")) {
            if (!schema["enum"].is_array() || schema["enum"].empty()) refuse(place, "'enum' is no list, or empty");
            std::vector<std::string> parts;
            for (const Json& value : schema["enum"]) parts.push_back(literal(value.dump()));
            return fmt::format("( {} )", fmt::join(parts, " | "));
        }
        for (const char* key : {"anyOf", "oneOf"})
            if (schema.contains(key)) return alternatives(schema[key], place + "/" + key);
        if (schema.contains("allOf")) return object_rule(merged(schema["allOf"], place), place);
        if (!schema.contains("type")) return schema.contains("properties") ? object_rule(schema, place) : "value";
        if (schema["type"].is_string()) return of_type(schema["type"], schema, place);
        if (!schema["type"].is_array() || schema["type"].empty()) refuse(place, "'type' is neither a text nor a list");
        std::vector<std::string> parts;
        for (const Json& type : schema["type"])
            parts.push_back(of_type(type.is_string() ? type.get<std::string>() : type.dump(), schema, place));
        return fmt::format("( {} )", fmt::join(parts, " | "));
    }

    const Json& whole_;
    std::map<std::string, std::string> rules_, references_;
    int64_t n_objects_ = 0;
};

}  // namespace

std::string grammar_of_schema(std::string_view schema) {
    Json parsed;
    try {
        parsed = Json::parse(schema);
    } catch (const Json::parse_error& error) {
        throw UsageError(fmt::format("--json-schema: no JSON: {}", printable(error.what(), 200)));
    }
    return Converter(parsed).grammar();
}

}  // namespace ech0
